package cli

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/session"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/target"
)

// File systems allow names of 255 bytes. Kubernetes allows 253 for a pod, of which kubelets on Linux
// can start those of about 210, and 63 for a container; most pods have fewer than 100.
const (
	maxPodPart       = 140
	maxContainerPart = 63
	hashLength       = 8 // hexadecimal digits
)

// fileName returns the default name of an output, without its ending: POD-CONTAINER-TYPE-TIME.
func fileName(t *target.Target, r *session.Result) string {
	begin := time.Unix(0, r.Profile.TimeNanos).Format("20060102-150405")
	return fmt.Sprintf("%s-%s-%s-%s", fileNamePart(t.Pod.Name, maxPodPart), fileNamePart(t.Container, maxContainerPart), r.Request.Type, begin)
}

// fileNamePart returns a name from the API server in a form that is safe in a file name: at most limit
// bytes of [a-zA-Z0-9._-], the first of which is no dot. Valid names of pods stay as they are unless
// they are too long. A name that is changed ends in a hash of the original, so that two names do not
// become one.
func fileNamePart(name string, limit int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, strings.TrimLeft(name, "."))
	if clean == name && clean != "" && len(clean) <= limit {
		return clean
	}
	kept := clean[:min(len(clean), limit-hashLength-1)]
	hash := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s-%x", kept, hash[:hashLength/2])
}
