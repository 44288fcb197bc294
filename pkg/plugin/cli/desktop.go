package cli

import (
	"fmt"
	"os/exec"
	"runtime"
)

// openOnDesktop opens a file or URL with the desktop's default program, which is a browser for an SVG.
func openOnDesktop(path string) error {
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "darwin":
		cmd = exec.Command("open", path)
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", path)
	default:
		cmd = exec.Command("xdg-open", path)
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot open %s with %s: %w", path, cmd.Args[0], err)
	}
	return nil
}
