//go:build linux

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"
)

func allow(group, resources, verbs string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{group}, Resources: strings.Fields(resources), Verbs: strings.Fields(verbs),
	}
}

var (
	mayGetPods   = allow("", "pods events", "get list watch")
	mayExec      = allow("", "pods/exec", "get create")
	mayEphemeral = allow("", "pods/ephemeralcontainers", "patch update")
	mayJob       = allow("batch", "jobs", "create get watch list delete")
)

// userWith creates a service account with the given permissions and returns the path of a
// kubeconfig for it.
func userWith(t *testing.T, ns string, rules ...rbacv1.PolicyRule) string {
	t.Helper()
	ctx, name := t.Context(), "user"
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().ServiceAccounts(ns).Create(ctx, sa, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	if _, err := client.RbacV1().Roles(ns).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: ns}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}
	if _, err := client.RbacV1().RoleBindings(ns).Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := client.CoreV1().ServiceAccounts(ns).CreateToken(ctx, name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(time.Hour.Seconds()))}},
		metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kc := clientcmdapi.NewConfig()
	kc.Clusters["test"] = &clientcmdapi.Cluster{
		Server: config.Host, CertificateAuthority: config.CAFile, CertificateAuthorityData: config.CAData, InsecureSkipTLSVerify: config.Insecure,
	}
	kc.AuthInfos["user"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	kc.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "user", Namespace: ns}
	kc.CurrentContext = "test"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*kc, file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestUserWhoMayOnlyPatchEphemeralContainers(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	user := userWith(t, ns, mayGetPods, mayExec, mayEphemeral)
	p, _ := profileOf(t, "--kubeconfig", user, "web", "-d", "2s")
	expectFunctions(t, p, []string{"main.priceCart"}, nil)
	refuse(t, []string{"--kubeconfig", user, "--job", "web", "-d", "2s"}, "jobs", "create")
}

func TestUserWhoMayOnlyCreateJobs(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	user := userWith(t, ns, mayGetPods, mayExec, mayJob)
	p, r := profileOf(t, "--kubeconfig", user, "web", "-d", "2s")
	expectFunctions(t, p, []string{"main.priceCart"}, nil)
	expectTexts(t, r, "Job", "pods/ephemeralcontainers")
	refuse(t, []string{"--kubeconfig", user, "--ephemeral", "web", "-d", "2s"}, "pods/ephemeralcontainers", "patch")
}

func TestUserWithoutEphemeralContainersAndJobs(t *testing.T) {
	ns := namespace(t, "")
	start(t, podOf(ns, "web", shop()))
	user := userWith(t, ns, mayGetPods, mayExec)
	refuse(t, []string{"--kubeconfig", user, "web", "-d", "2s"}, "pods/ephemeralcontainers", "jobs")
	blind := namespace(t, "")
	refuse(t, []string{"--kubeconfig", userWith(t, blind), "web", "-d", "2s"}, "pods", "get")
}

// PodSecurity refuses the profiler. The error quotes the reason in one line, and the advice in it works.
func TestRestrictedNamespace(t *testing.T) {
	ns := namespace(t, "restricted")
	start(t, podOf(ns, "web", restricted(shop())))
	r := refuse(t, []string{"-n", ns, "web", "-d", "2s"}, "PodSecurity", "restricted", "--job-namespace")
	for line := range strings.Lines(r.stderr) {
		if strings.Contains(line, "PodSecurity") && !strings.Contains(line, "privileged") {
			t.Errorf("the refusal should be one line with its reason: %q", line)
		}
	}
	refuse(t, []string{"--ephemeral", "-n", ns, "web", "-d", "2s"}, "PodSecurity")
	open := namespace(t, "privileged")
	p, _ := profileOf(t, "-n", ns, "web", "--job-namespace", open, "-d", "2s")
	expectFunctions(t, p, []string{"main.priceCart"}, nil)
}

// The rules that `kubectl pprof rbac` prints suffice, and each of them is needed.
func TestPrintedRulesSuffice(t *testing.T) {
	for _, tc := range [][2]string{{"ephemeral", "exec"}, {"job", "exec"}, {"ephemeral", "attach"}, {"job", "logs"}} {
		mode, transfer := tc[0], tc[1]
		t.Run(mode+" "+transfer, func(t *testing.T) {
			ns := namespace(t, "")
			start(t, podOf(ns, "web", shop()))
			user := userWith(t, ns)
			role := grantPrinted(t, ns, "--mode", mode, "--transfer", transfer)
			created := role.DeepCopy()
			var err error
			p, _ := profileOf(t, "--kubeconfig", user, "--"+mode, "web", "-d", "2s")
			expectFunctions(t, p, []string{"main.priceCart"}, nil)
			for i := range role.Rules {
				created.Rules = slices.Delete(slices.Clone(role.Rules), i, i+1)
				if created, err = client.RbacV1().Roles(ns).Update(t.Context(), created, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				refuse(t, []string{"--kubeconfig", user, "--" + mode, "web", "-d", "2s"}, role.Rules[i].Resources[0])
			}
		})
	}
}

// grantPrinted grants the service account "user" the Role that `kubectl pprof rbac` prints.
func grantPrinted(t *testing.T, ns string, args ...string) *rbacv1.Role {
	t.Helper()
	documents := strings.Split(succeed(t, append([]string{"rbac", "serviceaccount/user", "-n", ns}, args...)...).stdout, "---\n")
	var role rbacv1.Role
	var binding rbacv1.RoleBinding
	if len(documents) != 2 || yaml.UnmarshalStrict([]byte(documents[0]), &role) != nil || yaml.UnmarshalStrict([]byte(documents[1]), &binding) != nil {
		t.Fatalf("not a Role and a RoleBinding: %q", documents)
	}
	if _, err := client.RbacV1().RoleBindings(ns).Create(t.Context(), &binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	created, err := client.RbacV1().Roles(ns).Create(t.Context(), &role, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}
