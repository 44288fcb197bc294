package doctor

import (
	"context"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

// image checks whether there is a secret for pulling the profiler's image, unless it is the default
// image, which is public.
func (e *examination) image(context.Context) []Check {
	const name = "image"
	image := e.options.Launch.Image
	secrets := e.options.Launch.ImagePullSecret != "" || e.target != nil && len(e.target.Pod.Spec.ImagePullSecrets) > 0
	switch {
	case image == "":
		return []Check{{name, Failed, "there is no image", "set --image"}}
	case image == version.Image() || secrets:
		return []Check{{name, OK, image, ""}}
	}
	return []Check{{name, Warning, image + ": there is no pull secret, neither in the pod nor in --image-pull-secret",
		"none is needed if the registry is public or the nodes have credentials for it; otherwise use --job with --image-pull-secret"}}
}
