package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/launch"
	"github.com/kubectl-pprof/kubectl-pprof/pkg/plugin/stream"
)

const rbacExamples = `  # Allow a service account of the namespace to profile its pods
  kubectl pprof rbac serviceaccount/ci -n shop | kubectl apply -f -

  # Allow a group to profile with Jobs
  kubectl pprof rbac group/oncall --mode job -n shop | kubectl apply -f -

  # Allow a group to take profiles from programs that serve net/http/pprof, and nothing else
  kubectl pprof rbac group/oncall --mode endpoint -n shop | kubectl apply -f -

  # Print the permissions for a cluster that forbids exec
  kubectl pprof rbac user/jane --transfer attach -n shop`

// subjects maps the words for subjects of a RoleBinding to their kinds.
var subjects = map[string]string{
	"user": rbacv1.UserKind, "group": rbacv1.GroupKind, "serviceaccount": rbacv1.ServiceAccountKind, "sa": rbacv1.ServiceAccountKind,
}

// nobody is the subject of the RoleBinding if none is given.
const nobody = "user/NAME-HERE"

func newRBACCommand(streams genericiooptions.IOStreams) *cobra.Command {
	config := genericclioptions.NewConfigFlags(true)
	mode, transfer := "ephemeral", string(stream.Exec)
	cmd := &cobra.Command{
		Use:                   "rbac [user/NAME | group/NAME | serviceaccount/NAME] [--mode ephemeral|job|endpoint] [--transfer exec|attach|logs] [-n NAMESPACE]",
		DisableFlagsInUseLine: true,
		Short:                 "Print a Role and RoleBinding with the permissions for profiling",
		Long: `Print, as YAML, the smallest Role with which pods of a namespace can be profiled by name, and a
RoleBinding to it. The cluster is not contacted.`,
		Example: rbacExamples,
		Args:    arguments(0, 1, "name one user, group or service account"),
		RunE: func(_ *cobra.Command, args []string) error {
			namespace, _, err := config.ToRawKubeConfigLoader().Namespace()
			if err != nil {
				return err
			}
			subject := nobody
			if len(args) > 0 {
				subject = args[0]
			}
			return printRBAC(streams.Out, mode, transfer, namespace, subject)
		},
	}
	cmd.Flags().StringVar(&mode, "mode", mode, "`way` of profiling: ephemeral, job, or endpoint for --from-endpoint")
	cmd.Flags().StringVar(&transfer, "transfer", transfer, "`way` to transfer the profile: exec, attach or logs")
	cmd.Flags().StringVarP(config.Namespace, "namespace", "n", "", "`namespace` of the pods; default: the namespace of the context")
	cmd.Flags().StringVar(config.Context, "context", "", "`context` of the kubeconfig")
	cmd.Flags().StringVar(config.KubeConfig, "kubeconfig", "", "`file` with the contexts")
	setUsage(cmd)
	return cmd
}

func printRBAC(w io.Writer, mode, transfer, namespace, subject string) error {
	if !slices.Contains(stream.Transfers(), stream.Transfer(transfer)) {
		return usageError{fmt.Errorf("--transfer %q: choose exec, attach or logs", transfer)}
	}
	var rules []rbacv1.PolicyRule
	switch mode {
	case "ephemeral":
		rules = launch.Rules(launch.Ephemeral, stream.Transfer(transfer))
	case "job":
		rules = launch.Rules(launch.Job, stream.Transfer(transfer))
	case "endpoint":
		rules = launch.EndpointRules()
	default:
		return usageError{fmt.Errorf("--mode %q: choose ephemeral, job or endpoint", mode)}
	}
	kind, name, _ := strings.Cut(subject, "/")
	if subjects[kind] == "" || name == "" {
		return usageError{fmt.Errorf("%q is not user/NAME, group/NAME or serviceaccount/NAME", subject)}
	}
	if problems := validation.ValidateNamespaceName(namespace, false); len(problems) > 0 {
		return usageError{fmt.Errorf("--namespace %q: %s", namespace, strings.Join(problems, "; "))}
	}
	if problems := validation.ValidateServiceAccountName(name, false); len(problems) > 0 && subjects[kind] == rbacv1.ServiceAccountKind {
		return usageError{fmt.Errorf("service account %q: %s", name, strings.Join(problems, "; "))}
	}
	meta := metav1.ObjectMeta{Name: "kubectl-pprof-" + mode, Namespace: namespace}
	to := rbacv1.Subject{Kind: subjects[kind], APIGroup: rbacv1.GroupName, Name: name}
	if to.Kind == rbacv1.ServiceAccountKind {
		to.APIGroup, to.Namespace = "", namespace
	}
	version := rbacv1.SchemeGroupVersion.String()
	for i, object := range []any{
		&rbacv1.Role{TypeMeta: metav1.TypeMeta{Kind: "Role", APIVersion: version}, ObjectMeta: meta, Rules: rules},
		&rbacv1.RoleBinding{
			TypeMeta: metav1.TypeMeta{Kind: "RoleBinding", APIVersion: version}, ObjectMeta: meta, Subjects: []rbacv1.Subject{to},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		},
	} {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return err
		}
		unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
		text, err := yaml.Marshal(fields)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(w, "---")
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}
