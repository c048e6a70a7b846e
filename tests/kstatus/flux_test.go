// The sample repository for Flux in, pass or fail out: every object is one that Flux knows, no field of
// it is unknown, and what it refers to is there. IO: reads files.
package kstatus

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const repository = "../../deploy/samples/gitops"

type flux struct {
	kustomizations map[string]kustomizev1.Kustomization
	sources        map[string]sourcev1.GitRepository
	accounts       map[string]bool
	clusterRoles   []rbacv1.ClusterRole
	bindings       []rbacv1.RoleBinding
}

func read(t *testing.T) *flux {
	t.Helper()
	found := &flux{
		kustomizations: map[string]kustomizev1.Kustomization{},
		sources:        map[string]sourcev1.GitRepository{},
		accounts:       map[string]bool{},
	}
	paths, err := filepath.Glob(repository + "/flux/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		reader := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(path, err)
			}
			found.take(t, path, document)
		}
	}
	return found
}

func (f *flux) take(t *testing.T, path string, document []byte) {
	t.Helper()
	object := metav1.PartialObjectMetadata{}
	if err := yaml.Unmarshal(document, &object); err != nil {
		t.Fatal(path, err)
	}
	strictly := func(into any) {
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			t.Errorf("%s: %s %s: %v", path, object.Kind, object.Name, err)
		}
	}
	switch object.APIVersion + " " + object.Kind {
	case kustomizev1.GroupVersion.String() + " Kustomization":
		kustomization := kustomizev1.Kustomization{}
		strictly(&kustomization)
		f.kustomizations[object.Name] = kustomization
	case sourcev1.GroupVersion.String() + " GitRepository":
		source := sourcev1.GitRepository{}
		strictly(&source)
		f.sources[object.Name] = source
	case "v1 ServiceAccount":
		f.accounts[object.Name] = true
	case rbacv1.SchemeGroupVersion.String() + " ClusterRole":
		role := rbacv1.ClusterRole{}
		strictly(&role)
		f.clusterRoles = append(f.clusterRoles, role)
	case rbacv1.SchemeGroupVersion.String() + " RoleBinding":
		binding := rbacv1.RoleBinding{}
		strictly(&binding)
		f.bindings = append(f.bindings, binding)
	case "kustomize.config.k8s.io/v1beta1 Kustomization":
	default:
		t.Errorf("%s: %s %s is nothing that this sample needs", path, object.APIVersion, object.Kind)
	}
	const ours = "flux-system"
	bindings := object.Kind == "RoleBinding" || object.Kind == "ClusterRole" || object.Name == ""
	if object.Namespace != ours && !bindings {
		t.Errorf("%s: %s %s is not in %s", path, object.Kind, object.Name, ours)
	}
}

func teams(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(repository + "/teams/*")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for at, name := range names {
		names[at] = filepath.Base(name)
	}
	return names
}

func TestFluxKustomizations(t *testing.T) {
	found := read(t)
	teams := teams(t)
	for _, name := range teams {
		roles, ok := found.kustomizations["roles-"+name]
		if !ok {
			t.Errorf("team %s has no Kustomization", name)
			continue
		}
		spec := roles.Spec
		if spec.TargetNamespace != name || spec.ServiceAccountName != "team-"+name ||
			!spec.Wait || !spec.Prune || spec.DeletionPolicy != kustomizev1.DeletionPolicyWaitForTermination {
			t.Errorf("roles-%s: %+v", name, spec)
		}
	}
	if want := len(teams) + 2; len(found.kustomizations) != want {
		t.Errorf("%d Kustomizations, %d expected", len(found.kustomizations), want)
	}
	for name, kustomization := range found.kustomizations {
		spec := kustomization.Spec
		if info, err := os.Stat(filepath.Join(repository, spec.Path)); err != nil || !info.IsDir() {
			t.Errorf("%s: path %s: %v", name, spec.Path, err)
		}
		if _, ok := found.sources[spec.SourceRef.Name]; !ok || spec.SourceRef.Kind != "GitRepository" {
			t.Errorf("%s: source %+v", name, spec.SourceRef)
		}
		for _, dependency := range spec.DependsOn {
			if _, ok := found.kustomizations[dependency.Name]; !ok {
				t.Errorf("%s depends on %s", name, dependency.Name)
			}
		}
		if account := spec.ServiceAccountName; account != "" && !found.accounts[account] {
			t.Errorf("%s: account %s", name, account)
		}
		if spec.Wait && len(spec.HealthChecks) > 0 {
			t.Errorf("%s: Flux reads no healthChecks beside wait", name)
		}
		if spec.Timeout == nil || spec.Interval.Duration == 0 {
			t.Errorf("%s: no timeout or interval", name)
		}
	}
}

// First the CRD, then the controller, then the roles; and nothing takes the CRD away again.
func TestFluxOrder(t *testing.T) {
	const crd, controller = "session-manager-role-crd", "session-manager-role-controller"
	found := read(t).kustomizations
	after := map[string]string{crd: "", controller: crd}
	for _, team := range teams(t) {
		after["roles-"+team] = controller
	}
	for name, expected := range after {
		var names []string
		for _, dependency := range found[name].Spec.DependsOn {
			names = append(names, dependency.Name)
		}
		if strings.Join(names, " ") != expected {
			t.Errorf("%s depends on %v, not on %q", name, names, expected)
		}
	}
	if spec := found[crd].Spec; !spec.Wait || spec.Prune {
		t.Errorf("%s: wait %t, prune %t", crd, spec.Wait, spec.Prune)
	}
	// That it is the Deployment that is built, the tests of the other module say, which builds it.
	if checks := found[controller].Spec.HealthChecks; len(checks) != 1 {
		t.Errorf("%s: %+v", controller, checks)
	}
}

// A team's account may do with roles in the team's namespace what Flux does, and nothing else.
func TestFluxTenants(t *testing.T) {
	found := read(t)
	if len(found.clusterRoles) != 1 || len(found.clusterRoles[0].Rules) != 1 {
		t.Fatalf("%+v", found.clusterRoles)
	}
	role := found.clusterRoles[0]
	rule := rbacv1.PolicyRule{
		APIGroups: []string{"sessionmanager.dev"},
		Resources: []string{"sessionmanagerroles"},
		Verbs:     []string{"get", "list", "watch", "create", "update", "patch", "delete"},
	}
	if !reflect.DeepEqual(role.Rules[0], rule) || role.AggregationRule != nil {
		t.Errorf("%+v", role)
	}
	bound := map[string]bool{}
	for _, binding := range found.bindings {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}
		team := rbacv1.Subject{Kind: "ServiceAccount", Name: "team-" + binding.Namespace, Namespace: "flux-system"}
		if binding.RoleRef != ref || !reflect.DeepEqual(binding.Subjects, []rbacv1.Subject{team}) {
			t.Errorf("%+v", binding)
		}
		bound[binding.Namespace] = true
	}
	expected := map[string]bool{}
	for _, team := range teams(t) {
		expected[team] = true
	}
	if !reflect.DeepEqual(bound, expected) || len(found.bindings) != len(expected) {
		t.Errorf("bindings in %v, teams %v", bound, expected)
	}
}
