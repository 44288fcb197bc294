package cli

import (
	"fmt"
	"os/exec"
	"runtime"
)

// openInBrowser shows a file with the program that the desktop has for it, a browser for an SVG.
func openInBrowser(path string) error {
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
