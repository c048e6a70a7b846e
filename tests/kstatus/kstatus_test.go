// What kstatus' own library, which Flux uses, makes of the objects that the health script for Argo CD is
// tested on, and that the two agree. In: states.yaml and deploy/argocd; out: pass or fail. IO: reads
// files. A module of its own: kstatus and Argo CD need different versions of Kubernetes' libraries.
// Run with -count=1: Go keeps results, and does not see a change of files outside the module.
package kstatus

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const customized = "../../deploy/argocd/resource_customizations/sessionmanager.dev/SessionManagerRole"

type state struct {
	Object  string        `json:"object"`
	ArgoCD  string        `json:"argocd"`
	Kstatus status.Status `json:"kstatus"`
}

func load(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatal(path, err)
	}
}

// As a client reads it, whose numbers are integers.
func object(t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	json, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(path, err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(json); err != nil {
		t.Fatal(path, err)
	}
	return object
}

func TestKstatus(t *testing.T) {
	var states []state
	load(t, "states.yaml", &states)
	health := struct {
		Tests []struct {
			InputPath    string `json:"inputPath"`
			HealthStatus struct {
				Status  string `json:"status"`
				Message string `json:"message"`
			} `json:"healthStatus"`
		} `json:"tests"`
	}{}
	load(t, customized+"/health_test.yaml", &health)
	argocd := map[string]string{}
	for _, test := range health.Tests {
		argocd[test.InputPath] = test.HealthStatus.Status
	}
	rows := map[string]bool{}
	for _, row := range states {
		path := "testdata/" + row.Object + ".yaml"
		rows[path] = true
		found, err := status.Compute(object(t, filepath.Join(customized, path)))
		if err != nil {
			t.Errorf("%s: %v", row.Object, err)
			continue
		}
		if found.Status != row.Kstatus {
			t.Errorf("%s: kstatus says %s (%s), expected %s", row.Object, found.Status, found.Message, row.Kstatus)
		}
		if argocd[path] != row.ArgoCD {
			t.Errorf("%s: health_test.yaml says %q, the table %s", row.Object, argocd[path], row.ArgoCD)
		}
		agree(t, row)
	}
	for path := range argocd {
		if !rows[path] {
			t.Errorf("%s has no row", path)
		}
	}
}

// Neither says that all is done where the other does not, and a person is called by both or, where the
// object is paused or on its way out, by the one that has a word for it.
func agree(t *testing.T, row state) {
	t.Helper()
	possible := map[string][]status.Status{
		"Healthy":     {status.CurrentStatus},
		"Progressing": {status.InProgressStatus, status.TerminatingStatus},
		"Degraded":    {status.FailedStatus, status.TerminatingStatus},
		// kstatus knows no pause: it tells what stood there before.
		"Suspended": {status.CurrentStatus, status.InProgressStatus, status.FailedStatus, status.TerminatingStatus},
	}
	for _, one := range possible[row.ArgoCD] {
		if one == row.Kstatus {
			return
		}
	}
	t.Errorf("%s: Argo CD %s and kstatus %s contradict each other", row.Object, row.ArgoCD, row.Kstatus)
}
