package launch

import (
	"errors"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestNewName(t *testing.T) {
	name := newName()
	if len(name) < len(namePrefix)+10 || name == newName() || !IsProfiler(name) {
		t.Errorf("got %q and then %q", name, newName())
	}
}

// A Job that somebody else created under our name is neither used nor deleted.
func TestJobOfTheSameName(t *testing.T) {
	client := fake.NewClientset()
	j := newJob(client, web(), Options{Image: "profiler:1", Timeout: time.Minute})
	theirs := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: j.job.Name, UID: "theirs"}}
	if err := client.Tracker().Add(theirs); err != nil {
		t.Fatal(err)
	}
	if p, err := j.Launch(t.Context()); !apierrors.IsAlreadyExists(err) {
		t.Errorf("got %v, %v", p, err)
	}
	for _, a := range client.Actions() {
		if a.GetVerb() == "delete" {
			t.Errorf("%v", a)
		}
	}
}

// A Job is deleted only if it still is the one that was created.
func TestJobIsDeletedByItsUID(t *testing.T) {
	client := fake.NewClientset()
	var options metav1.DeleteOptions
	client.PrependReactor("delete", "jobs", func(a clienttesting.Action) (bool, runtime.Object, error) {
		options = a.(clienttesting.DeleteActionImpl).DeleteOptions
		return true, nil, apierrors.NewConflict(batchv1.SchemeGroupVersion.WithResource("jobs").GroupResource(), "x", errors.New("the UID in the precondition does not match"))
	})
	if err := deleteJob(t.Context(), client, "shop", "x", "ours"); err != nil {
		t.Error(err)
	}
	if p := options.Preconditions; p == nil || p.UID == nil || *p.UID != "ours" {
		t.Errorf("preconditions %v", p)
	}
}
