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
		Short: "Connect stdin and stdout to the profiler that serves in this container",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return relay(cmd.Context(), s, socket)
		},
	}
	cmd.Flags().StringVar(&socket, "socket", "", "path of the unix socket (default: that of serve)")
	return cmd
}

// relay copies in both directions until the profiler closes the connection, which it does at the end of stdin.
func relay(ctx context.Context, s Streams, socket string) error {
	runtime.GOMAXPROCS(1)
	conn, err := dial(ctx, socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		io.Copy(conn, s.In) // an error also ends the other direction
		conn.CloseWrite()
	}()
	_, err = io.Copy(s.Out, conn)
	return err
}
