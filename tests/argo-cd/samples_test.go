// The sample Git repository for Argo CD in, pass or fail out: it builds, the API server would take every
// object, its projects allow what they should and nothing else, and its waves are in order. IO: reads
// files, and builds kustomizations in a directory of its own.
package argocd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync/syncwaves"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	root    = "../.."
	samples = root + "/deploy/samples/gitops"
	project = "session-manager-role"
	server  = "https://kubernetes.default.svc"
)

// Every object of a text of several documents.
func objects(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	var found []*unstructured.Unstructured
	reader := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		object := &unstructured.Unstructured{}
		require.NoError(t, yaml.UnmarshalStrict(document, &object.Object))
		found = append(found, object)
	}
}

func in(t *testing.T, pattern string) []*unstructured.Unstructured {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(samples, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, paths, pattern)
	var found []*unstructured.Unstructured
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		found = append(found, objects(t, text)...)
	}
	return found
}

func as[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	into := new(T)
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true)
	require.NoError(t, err, object.GetName())
	return into
}

func ofKind[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) map[string]*T {
	t.Helper()
	found := map[string]*T{}
	for _, object := range objects {
		if object.GetKind() == kind {
			found[object.GetName()] = as[T](t, object)
		}
	}
	require.NotEmpty(t, found, kind)
	return found
}

func teams(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(samples + "/teams")
	require.NoError(t, err)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	require.NotEmpty(t, names)
	return names
}

var remote = regexp.MustCompile(`https://github\.com/session-manager-role/session-manager-role//(\S+)\?ref=v(\S+)`)

// Builds a directory of the sample, with this repository for the public one that it names.
func built(t *testing.T, directory string) []*unstructured.Unstructured {
	t.Helper()
	here, err := filepath.Abs(root)
	require.NoError(t, err)
	copied := t.TempDir()
	require.NoError(t, os.CopyFS(copied, os.DirFS(samples)))
	path := filepath.Join(copied, directory, "kustomization.yaml")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	local, err := filepath.Rel(filepath.Dir(path), here)
	require.NoError(t, err)
	text = remote.ReplaceAll(text, []byte(local+"/$1"))
	require.NoError(t, os.WriteFile(path, text, 0o600))
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), filepath.Dir(path))
	require.NoError(t, err)
	all, err := resources.AsYaml()
	require.NoError(t, err)
	return objects(t, all)
}

func TestSampleNamesThisVersion(t *testing.T) {
	manifest, err := os.ReadFile(root + "/Cargo.toml")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^version = "(.*)"$`).FindSubmatch(manifest)
	require.NotNil(t, version)
	for _, directory := range []string{"crd", "controller"} {
		text, err := os.ReadFile(samples + "/platform/" + directory + "/kustomization.yaml")
		require.NoError(t, err)
		named := remote.FindAllSubmatch(text, -1)
		require.NotEmpty(t, named, directory)
		for _, resource := range named {
			assert.Equal(t, string(version[1]), string(resource[2]), "%s: %s", directory, resource[1])
		}
	}
}

func TestSampleBuilds(t *testing.T) {
	const definition = "CustomResourceDefinition"
	// The CRD and what refuses its deletion: neither Argo CD nor Flux removes any of it.
	kinds := map[string]int{}
	for _, object := range built(t, "platform/crd") {
		kinds[object.GetKind()]++
		annotations := object.GetAnnotations()
		assert.Equal(t, "Prune=false,Delete=false", annotations["argocd.argoproj.io/sync-options"], object.GetName())
		assert.Equal(t, "disabled", annotations["kustomize.toolkit.fluxcd.io/prune"], object.GetName())
	}
	const policy, binding = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
	assert.Positive(t, kinds[policy])
	assert.Equal(t, map[string]int{definition: 1, policy: kinds[policy], binding: kinds[policy]}, kinds)

	var deployments []any
	for _, object := range built(t, "platform/controller") {
		assert.NotEqual(t, definition, object.GetKind())
		if object.GetKind() == "Deployment" {
			deployments = append(deployments, map[string]any{
				"apiVersion": object.GetAPIVersion(), "kind": "Deployment",
				"name": object.GetName(), "namespace": object.GetNamespace(),
			})
			text, err := yaml.Marshal(object.Object)
			require.NoError(t, err)
			assert.Contains(t, string(text), "value: production\n")
			assert.Contains(t, string(text), "image: registry.example.com/session-manager-role:0.1.0")
		}
	}
	// What Flux waits for before it applies roles.
	for _, object := range in(t, "flux/platform.yaml") {
		if object.GetName() == "session-manager-role-controller" {
			checks, _, err := unstructured.NestedSlice(object.Object, "spec", "healthChecks")
			require.NoError(t, err)
			assert.NotEmpty(t, checks)
			assert.Equal(t, deployments, checks)
		}
	}

	var namespaces []string
	for _, object := range built(t, "platform/namespaces") {
		namespaces = append(namespaces, object.GetName())
	}
	assert.ElementsMatch(t, teams(t), namespaces)
	assert.NotEmpty(t, built(t, "flux"))
}

// Those of kinds that Kubernetes itself has are left to the kustomizations' tests.
func TestTheAPIServerTakesTheSample(t *testing.T) {
	definitions := definitions(t)
	applications := append(in(t, "argocd/root.yaml"), in(t, "argocd/apps/*.yaml")...)
	for _, object := range append(applications, in(t, "teams/*/*.yaml")...) {
		assert.NoError(t, definitions.refuses(object), "%s %s", object.GetKind(), object.GetName())
	}
}

// The check above can say no.
func TestTheAPIServerRefuses(t *testing.T) {
	definitions := definitions(t)
	for name, change := range map[string]func(map[string]any){
		"unknown field": func(spec map[string]any) { spec["polices"] = "x" },
		"wrong value":   func(spec map[string]any) { spec["mode"] = "Look" },
		"rule": func(spec map[string]any) {
			spec["sessionEncryption"] = map[string]any{"kmsKeyArn": "alias/session-manager"}
		},
	} {
		object := in(t, "teams/web/production.yaml")[0]
		change(object.Object["spec"].(map[string]any))
		assert.Error(t, definitions.refuses(object), name)
	}
}

// As the ApplicationSet's controller makes it.
func applicationOf(t *testing.T, set *appv1.ApplicationSet, team string) *appv1.Application {
	t.Helper()
	meta := set.Spec.Template.ApplicationSetTemplateMeta
	template := &appv1.Application{
		ObjectMeta: metav1.ObjectMeta{Name: meta.Name, Annotations: meta.Annotations, Finalizers: meta.Finalizers},
		Spec:       set.Spec.Template.Spec,
	}
	parameters := map[string]any{"path": map[string]any{"path": "teams/" + team, "basename": team}}
	made, err := (&utils.Render{}).RenderTemplateParams(template, nil, parameters, true, set.Spec.GoTemplateOptions)
	require.NoError(t, err)
	return made
}

// Each team's Application can create what the team has written, where it should go, and nothing else.
func TestProjects(t *testing.T) {
	all := in(t, "argocd/apps/*.yaml")
	projects := ofKind[appv1.AppProject](t, all, "AppProject")
	sets := ofKind[appv1.ApplicationSet](t, all, "ApplicationSet")
	for _, project := range projects {
		require.NoError(t, project.ValidateProject(), project.Name)
	}
	cluster := &appv1.Cluster{Server: server}
	clusters := func(string) ([]*appv1.Cluster, error) { return []*appv1.Cluster{cluster}, nil }
	role := schema.GroupKind{Group: "sessionmanager.dev", Kind: "SessionManagerRole"}
	for _, team := range teams(t) {
		application := applicationOf(t, sets["session-manager-roles"], team)
		assert.Equal(t, "roles-"+team, application.Name)
		assert.Equal(t, "teams/"+team, application.Spec.Source.Path)
		assert.Equal(t, team, application.Spec.Destination.Namespace)
		project := projects[application.Spec.Project]
		require.NotNil(t, project, "project of team %s", team)
		assert.True(t, project.IsSourcePermitted(*application.Spec.Source))
		foreign := *application.Spec.Source
		foreign.RepoURL = "https://github.com/example/elsewhere.git"
		assert.False(t, project.IsSourcePermitted(foreign))

		permitted := func(kind schema.GroupKind, namespace string) bool {
			found, err := project.IsResourcePermitted(kind, namespace, cluster, clusters)
			require.NoError(t, err)
			return found
		}
		assert.True(t, permitted(role, team))
		for _, other := range append(teams(t), "argocd", "session-manager-role", "kube-system") {
			if other != team {
				assert.False(t, permitted(role, other), "team %s in %s", team, other)
			}
		}
		assert.False(t, permitted(schema.GroupKind{Kind: "Secret"}, team))
		assert.False(t, permitted(schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}, team))
		assert.False(t, permitted(schema.GroupKind{Kind: "Namespace"}, ""))
		for _, object := range in(t, "teams/"+team+"/*.yaml") {
			assert.Equal(t, role, object.GroupVersionKind().GroupKind(), team)
			assert.Empty(t, object.GetNamespace(), "the Application says where it goes")
		}
	}

	platform := projects[project]
	for name, application := range ofKind[appv1.Application](t, all, "Application") {
		require.Equal(t, project, application.Spec.Project, name)
		assert.True(t, platform.IsSourcePermitted(*application.Spec.Source), name)
		for _, object := range built(t, application.Spec.Source.Path) {
			found, err := platform.IsResourcePermitted(
				object.GroupVersionKind().GroupKind(), object.GetNamespace(), cluster, clusters)
			require.NoError(t, err)
			assert.True(t, found, "%s: %s %s", name, object.GetKind(), object.GetName())
		}
	}
}

func TestApplications(t *testing.T) {
	all := append(in(t, "argocd/root.yaml"), in(t, "argocd/apps/*.yaml")...)
	applications := ofKind[appv1.Application](t, all, "Application")
	for _, set := range ofKind[appv1.ApplicationSet](t, all, "ApplicationSet") {
		repository := set.Spec.Generators[0].Git.RepoURL
		assert.Equal(t, set.Spec.Template.Spec.Source.RepoURL, repository)
		// A confirmation is not in the template, and has to outlast the set's next look.
		require.NotNil(t, set.Spec.PreservedFields)
		assert.Contains(t, set.Spec.PreservedFields.Annotations, "argocd.argoproj.io/deletion-approved")
		for _, team := range teams(t) {
			applications["roles-"+team] = applicationOf(t, set, team)
		}
	}
	for name, application := range applications {
		assert.Equal(t, "https://github.com/example/gitops.git", application.Spec.Source.RepoURL, name)
		info, err := os.Stat(filepath.Join(samples, application.Spec.Source.Path))
		require.NoError(t, err, name)
		assert.True(t, info.IsDir(), name)
		assert.True(t, application.Spec.SyncPolicy.SyncOptions.HasOption("ServerSideApply=true"), name)
		assert.True(t, application.Spec.SyncPolicy.IsAutomatedSyncEnabled(), name)
		assert.Equal(t, &appv1.RetryStrategy{Limit: 5, Refresh: true}, application.Spec.SyncPolicy.Retry, name)
		if application.Name != project {
			compare := application.Annotations["argocd.argoproj.io/compare-options"]
			assert.Equal(t, "ServerSideDiff=true", compare, name)
		}
	}
	wave := func(name string) int {
		for _, object := range in(t, "argocd/apps/*.yaml") {
			if object.GetName() == name && object.GetKind() != "AppProject" {
				return syncwaves.Wave(object)
			}
		}
		require.Fail(t, "no "+name)
		return 0
	}
	crd, namespaces := wave("session-manager-role-crd"), wave("session-manager-role-namespaces")
	controller, roles := wave("session-manager-role-controller"), wave("session-manager-roles")
	assert.Less(t, crd, controller)
	assert.Less(t, controller, roles)
	assert.Less(t, namespaces, roles)
	for _, object := range in(t, "argocd/apps/projects.yaml") {
		assert.Less(t, syncwaves.Wave(object), crd, object.GetName())
	}
}

// A part that is not there yet or has not been looked at is not healthy, and the next wave waits.
func TestHealthOfApplications(t *testing.T) {
	configMap := &corev1.ConfigMap{}
	read(t, samples+"/argocd/argocd-cm.yaml", configMap)
	vm := lua.VM{ResourceOverrides: overrides(t, configMap)}
	application := in(t, "argocd/root.yaml")[0]
	notSynced := health.HealthStatus{Status: health.HealthStatusProgressing, Message: "not synced yet"}
	for status, expected := range map[string]health.HealthStatus{
		`{}`:                          {Status: health.HealthStatusProgressing},
		`{health: {}}`:                {Status: health.HealthStatusProgressing},
		`{health: {status: Healthy}}`: notSynced,
		`{health: {status: Healthy}, sync: {status: OutOfSync}}`:                                     notSynced,
		`{health: {status: Healthy}, sync: {status: OutOfSync}, operationState: {phase: Running}}`:   notSynced,
		`{health: {status: Healthy}, sync: {status: OutOfSync}, operationState: {phase: Failed}}`:    notSynced,
		`{health: {status: Healthy}, sync: {status: OutOfSync}, operationState: {phase: Succeeded}}`: {Status: health.HealthStatusHealthy},
		`{health: {status: Healthy}, sync: {status: Synced}}`:                                        {Status: health.HealthStatusHealthy},
		`{health: {status: Degraded, message: as told}, sync: {status: OutOfSync}}`:                  {Status: health.HealthStatusDegraded, Message: "as told"},
	} {
		var value map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(status), &value))
		application.Object["status"] = value
		script, _, err := vm.GetHealthScript(application)
		require.NoError(t, err)
		found, err := vm.ExecuteHealthLua(application, script)
		require.NoError(t, err)
		assert.Equal(t, &expected, found, status)
	}
}

func TestProductionAsksBeforeItGoes(t *testing.T) {
	count := 0
	for _, object := range in(t, "teams/*/*.yaml") {
		confirmed := strings.Contains(object.GetAnnotations()["argocd.argoproj.io/sync-options"], "Prune=confirm,Delete=confirm")
		kept := object.GetAnnotations()["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
		production := object.GetName() == "production"
		assert.Equal(t, production, confirmed, object.GetName())
		assert.Equal(t, production, kept, object.GetName())
		if production {
			count++
		}
	}
	assert.Positive(t, count)
}
