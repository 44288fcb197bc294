package target

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// notFound is the error for a pod that does not exist. It offers a workload of that name, or pods
// whose name is close; what the user may not list is not offered.
func notFound(ctx context.Context, c Clients, q Query) error {
	missing := fmt.Sprintf("pod %q not found in namespace %q", q.Name, q.Namespace)
	for _, k := range kinds[1:] {
		if _, err := k.selector(ctx, c.Objects, q.Namespace, q.Name); err == nil {
			return fmt.Errorf("%s; did you mean %s/%s?", missing, k.name, q.Name)
		}
	}
	// A page of 500 is enough for a hint.
	list, err := c.Core.CoreV1().Pods(q.Namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return fmt.Errorf("%s", missing)
	}
	var close []string
	for _, p := range list.Items {
		if similar(p.Name, q.Name) && len(close) < 3 {
			close = append(close, p.Name)
		}
	}
	switch {
	case len(list.Items) == 0:
		return fmt.Errorf("%s, which has no pods: check -n/--namespace and --context", missing)
	case len(close) == 0:
		return fmt.Errorf("%s: `kubectl get pods -n %s` lists what there is", missing, q.Namespace)
	}
	return fmt.Errorf("%s; did you mean %s?", missing, strings.Join(close, ", "))
}

// similar holds when one name contains the other, or when they differ in the random end that
// controllers give to pods (up to 17 characters, "-" ReplicaSet hash "-" suffix) or by a small slip.
func similar(have, asked string) bool {
	if strings.Contains(have, asked) || strings.Contains(asked, have) {
		return true
	}
	if i := strings.LastIndexByte(asked, '-'); i > 2 && strings.HasPrefix(have, asked[:i]) {
		return true
	}
	return editDistance(have, asked) <= 2
}

// editDistance is the Levenshtein distance. Names have at most 253 bytes (RFC 1123 subdomain).
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
