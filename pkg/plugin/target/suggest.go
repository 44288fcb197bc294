package target

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podNotFound returns the error for a pod that does not exist. It suggests a workload of that name, or
// pods with a similar name, as far as the user may read them.
func podNotFound(ctx context.Context, c Clients, q Query) error {
	missing := fmt.Sprintf("pod %q not found in namespace %q", q.Name, q.Namespace)
	for _, k := range kinds[1:] {
		if _, err := k.selector(ctx, c.Objects, q.Namespace, q.Name); err == nil {
			return fmt.Errorf("%s; did you mean %s/%s?", missing, k.name, q.Name)
		}
	}
	list, err := c.Core.CoreV1().Pods(q.Namespace).List(ctx, metav1.ListOptions{Limit: maxListed})
	if err != nil {
		return fmt.Errorf("%s", missing)
	}
	var suggestions []string
	for _, p := range list.Items {
		if similar(p.Name, q.Name) && len(suggestions) < 3 {
			suggestions = append(suggestions, p.Name)
		}
	}
	switch {
	case len(list.Items) == 0:
		return fmt.Errorf("%s, which has no pods: check -n/--namespace and --context", missing)
	case len(suggestions) == 0:
		return fmt.Errorf("%s: `kubectl get pods -n %s` lists the pods", missing, q.Namespace)
	}
	return fmt.Errorf("%s; did you mean %s?", missing, strings.Join(suggestions, ", "))
}

// similar reports whether one name contains the other, or they differ only after the last hyphen of
// the requested name, where controllers append a random suffix, or by at most two edits.
func similar(have, requested string) bool {
	if strings.Contains(have, requested) || strings.Contains(requested, have) {
		return true
	}
	if i := strings.LastIndexByte(requested, '-'); i > 2 && strings.HasPrefix(have, requested[:i]) {
		return true
	}
	return editDistance(have, requested) <= 2
}

// editDistance returns the Levenshtein distance of two names, in bytes. Names have at most 253 bytes
// (RFC 1123 subdomain).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
