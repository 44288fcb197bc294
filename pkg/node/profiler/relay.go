//go:build linux

package profiler

import (
	"context"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

func newRelayCommand(s Streams) *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "relay",
		Short: "Connect stdin and stdout with the profiler that serves in this container",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return relay(cmd.Context(), s, socket)
		},
	}
	cmd.Flags().StringVar(&socket, "socket", "", "path of the unix socket (default: where serve puts it)")
	return cmd
}

// relay copies until the profiler closes the connection; the end of stdin makes it do so.
func relay(ctx context.Context, s Streams, socket string) error {
	runtime.GOMAXPROCS(1)
	conn, err := dial(ctx, socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		io.Copy(conn, s.In) // an error shows in the other direction
		conn.CloseWrite()
	}()
	_, err = io.Copy(s.Out, conn)
	return err
}
