// Health and actions of a SessionManagerRole as Argo CD's own Lua runner gives them, on objects that
// the controller's own code has rendered. In: deploy/argocd; out: pass or fail. IO: reads files.
//
// health_test.yaml and action_test.yaml have the form of Argo CD's own customizations, so that the
// directory could go there as it is; here the scripts come out of argocd-cm.yaml, as Argo CD reads it.
// Run with -count=1: Go keeps results, and does not see a change of files outside the module.
package argocd

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

const (
	deployed   = "../../deploy/argocd"
	role       = "sessionmanager.dev/SessionManagerRole"
	customized = deployed + "/resource_customizations/" + role
)

type healthTests struct {
	Tests []struct {
		InputPath    string              `json:"inputPath"`
		HealthStatus health.HealthStatus `json:"healthStatus"`
	} `json:"tests"`
}

type actionTests struct {
	DiscoveryTests []struct {
		InputPath string                 `json:"inputPath"`
		Result    []appv1.ResourceAction `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action             string `json:"action"`
		InputPath          string `json:"inputPath"`
		ExpectedOutputPath string `json:"expectedOutputPath"`
	} `json:"actionTests"`
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, into), path)
}

// As the application controller has it, whose numbers are integers.
func live(t *testing.T, path string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	json, err := yaml.YAMLToJSON(text)
	require.NoError(t, err)
	object := &unstructured.Unstructured{}
	require.NoError(t, object.UnmarshalJSON(json))
	return object
}

// The customizations that Argo CD makes of a ConfigMap.
func overrides(t *testing.T, configMap *corev1.ConfigMap) map[string]appv1.ResourceOverride {
	t.Helper()
	manager := settings.NewSettingsManager(context.Background(), fake.NewClientset(configMap), configMap.Namespace)
	found, err := manager.GetResourceOverrides()
	require.NoError(t, err)
	return found
}

func installed(t *testing.T) lua.VM {
	t.Helper()
	configMap := &corev1.ConfigMap{}
	read(t, deployed+"/argocd-cm.yaml", configMap)
	return lua.VM{ResourceOverrides: overrides(t, configMap)}
}

func files(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, "testdata/"+entry.Name())
	}
	return names
}

func TestHealth(t *testing.T) {
	vm := installed(t)
	tests := healthTests{}
	read(t, customized+"/health_test.yaml", &tests)
	tested := make([]string, 0, len(tests.Tests))
	for _, test := range tests.Tests {
		tested = append(tested, test.InputPath)
		t.Run(test.InputPath, func(t *testing.T) {
			path := filepath.Join(customized, test.InputPath)
			object := live(t, path)
			script, _, err := vm.GetHealthScript(object)
			require.NoError(t, err)
			found, err := vm.ExecuteHealthLua(object, script)
			require.NoError(t, err)
			assert.Equal(t, &test.HealthStatus, found)

			// As Argo CD's own test of its customizations reads and runs it.
			upstream := &unstructured.Unstructured{}
			read(t, path, &upstream.Object)
			found, err = lua.VM{UseOpenLibs: true}.ExecuteHealthLua(upstream, script)
			require.NoError(t, err)
			assert.Equal(t, &test.HealthStatus, found)
		})
	}
	assert.ElementsMatch(t, files(t, customized+"/testdata"), tested, "one test for each object")
}

// What Argo CD shows: its engine answers for an object that is being deleted before any script is
// asked. Where a version of Argo CD changes that, deploy/argocd/README.md has to follow.
func TestHealthThatIsShown(t *testing.T) {
	vm := installed(t)
	tests := healthTests{}
	read(t, customized+"/health_test.yaml", &tests)
	for _, test := range tests.Tests {
		object := live(t, filepath.Join(customized, test.InputPath))
		shown, err := health.GetResourceHealth(object, lua.ResourceHealthOverrides(vm.ResourceOverrides))
		require.NoError(t, err)
		expected := test.HealthStatus
		if object.GetDeletionTimestamp() != nil {
			expected = health.HealthStatus{Status: health.HealthStatusProgressing, Message: "Pending deletion"}
		}
		assert.Equal(t, &expected, shown, test.InputPath)
	}
}

// Whatever an object lacks, the script gives an answer, and never Healthy.
func TestHealthOfWhatIsIncomplete(t *testing.T) {
	vm := installed(t)
	for _, status := range []string{
		`null`,
		`{}`,
		`{observedGeneration: -1}`,
		`{observedGeneration: 1}`,
		`{observedGeneration: 1, conditions: []}`,
		`{observedGeneration: 1, conditions: [{type: Ready, status: "False", reason: Later, message: a newer controller's}]}`,
		`{observedGeneration: 1, conditions: [{type: Ready, status: Unknown, reason: Later, message: a newer controller's}]}`,
	} {
		object := live(t, customized+"/testdata/created.yaml")
		var value any
		require.NoError(t, yaml.Unmarshal([]byte(status), &value))
		object.Object["status"] = value
		if value == nil {
			delete(object.Object, "status")
		}
		script, _, err := vm.GetHealthScript(object)
		require.NoError(t, err)
		found, err := vm.ExecuteHealthLua(object, script)
		require.NoError(t, err, status)
		assert.Equal(t, health.HealthStatusProgressing, found.Status, status)
		assert.NotEmpty(t, found.Message, status)
	}
	// The API server makes a new generation of a deletion; what if it did not.
	object := live(t, customized+"/testdata/converged.yaml")
	object.SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
	found, err := vm.ExecuteHealthLua(object, vm.ResourceOverrides[role].HealthLua)
	require.NoError(t, err)
	assert.Equal(t, health.HealthStatusProgressing, found.Status)
}

func TestActions(t *testing.T) {
	vm := installed(t)
	tests := actionTests{}
	read(t, customized+"/actions/action_test.yaml", &tests)
	used := map[string]bool{}
	for _, test := range tests.DiscoveryTests {
		used[test.InputPath] = true
		t.Run("discovery/"+test.InputPath, func(t *testing.T) {
			object := live(t, filepath.Join(customized, "actions", test.InputPath))
			scripts, err := vm.GetResourceActionDiscovery(object)
			require.NoError(t, err)
			found, err := vm.ExecuteResourceActionDiscovery(object, scripts)
			require.NoError(t, err)
			assert.ElementsMatch(t, test.Result, found)
		})
	}
	now := regexp.MustCompile(`^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	const requested = "sessionmanager.dev/reconcile-requested-at"
	for _, test := range tests.ActionTests {
		used[test.InputPath], used[test.ExpectedOutputPath] = true, true
		t.Run(test.Action+"/"+test.InputPath, func(t *testing.T) {
			source := live(t, filepath.Join(customized, "actions", test.InputPath))
			action, err := vm.GetResourceAction(source, test.Action)
			require.NoError(t, err)
			changed, err := vm.ExecuteResourceAction(source, action.ActionLua, nil)
			require.NoError(t, err)
			require.Len(t, changed, 1)
			assert.Equal(t, lua.PatchOperation, changed[0].K8SOperation)
			annotations := changed[0].UnstructuredObj.GetAnnotations()
			if at, ok := annotations[requested]; ok {
				assert.Regexp(t, now, at)
				annotations[requested] = "0001-01-01T00:00:00Z"
				changed[0].UnstructuredObj.SetAnnotations(annotations)
			}
			expected, err := live(t, filepath.Join(customized, "actions", test.ExpectedOutputPath)).MarshalJSON()
			require.NoError(t, err)
			found, err := changed[0].UnstructuredObj.MarshalJSON()
			require.NoError(t, err)
			assert.JSONEq(t, string(expected), string(found))
		})
	}
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	assert.ElementsMatch(t, files(t, customized+"/actions/testdata"), names, "each object is used")
}

// The last annotation goes, and the empty map that is left is still a map.
func TestResumeOfTheOnlyAnnotation(t *testing.T) {
	vm := installed(t)
	source := live(t, customized+"/actions/testdata/converged_paused.yaml")
	require.Len(t, source.GetAnnotations(), 1)
	action, err := vm.GetResourceAction(source, "resume")
	require.NoError(t, err)
	changed, err := vm.ExecuteResourceAction(source, action.ActionLua, nil)
	require.NoError(t, err)
	found, isMap, err := unstructured.NestedStringMap(changed[0].UnstructuredObj.Object, "metadata", "annotations")
	require.NoError(t, err)
	assert.True(t, isMap)
	assert.Empty(t, found)
}

// A directory of the tree and an entry of the ConfigMap for each action.
func TestEveryActionIsDiscoveredAndDefined(t *testing.T) {
	vm := installed(t)
	override := vm.ResourceOverrides[role]
	actions, err := override.GetActions()
	require.NoError(t, err)
	defined := map[string]string{}
	for _, definition := range actions.Definitions {
		defined[definition.Name] = definition.ActionLua
	}
	found := map[string]string{}
	scripts, err := filepath.Glob(customized + "/actions/*/action.lua")
	require.NoError(t, err)
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		found[filepath.Base(filepath.Dir(path))] = string(text)
	}
	assert.Equal(t, found, defined)
	discovered, err := vm.ExecuteResourceActionDiscovery(
		live(t, customized+"/testdata/converged.yaml"), []string{actions.ActionDiscoveryLua})
	require.NoError(t, err)
	for _, action := range discovered {
		assert.Contains(t, defined, action.Name)
		assert.True(t, strings.HasPrefix(action.IconClass, "fa "), action.Name)
	}
	assert.Len(t, discovered, len(defined))
}
