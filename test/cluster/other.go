//go:build !linux

package main

import (
	"context"
	"fmt"
	"runtime"
)

func run(context.Context, []string) error {
	return fmt.Errorf("the test cluster needs Linux, this is %s; set KUBECONFIG to use another cluster", runtime.GOOS)
}
