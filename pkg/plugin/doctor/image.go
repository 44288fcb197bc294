package doctor

import (
	"context"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/version"
)

// image checks that there is an image. Whether a node can pull it shows only when the node tries; the
// detail names what that takes.
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
	return []Check{{name, OK, image + ": without a pull secret, the registry must be public or the nodes must have credentials for it; otherwise use --job with --image-pull-secret", ""}}
}
