// The ready-made snippets: argocd-cm.yaml and helm-values.yaml are written of the Lua scripts, are not
// stale, and say the same to Argo CD. IO: runs deploy/argocd/generate.sh into a directory of its own.
package argocd

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func TestSnippetsAreNotStale(t *testing.T) {
	fresh := t.TempDir()
	output, err := exec.Command(deployed+"/generate.sh", fresh).CombinedOutput()
	require.NoError(t, err, string(output))
	for _, name := range []string{"argocd-cm.yaml", "helm-values.yaml"} {
		expected, err := os.ReadFile(filepath.Join(fresh, name))
		require.NoError(t, err)
		found, err := os.ReadFile(filepath.Join(deployed, name))
		require.NoError(t, err)
		assert.Equal(t, string(expected), string(found), "run deploy/argocd/generate.sh")
	}
}

func TestSnippetsHoldTheScripts(t *testing.T) {
	script, err := os.ReadFile(customized + "/health.lua")
	require.NoError(t, err)
	discovery, err := os.ReadFile(customized + "/actions/discovery.lua")
	require.NoError(t, err)

	values := struct {
		Configs struct {
			CM map[string]string `json:"cm"`
		} `json:"configs"`
	}{}
	read(t, deployed+"/helm-values.yaml", &values)
	configMap := &corev1.ConfigMap{}
	read(t, deployed+"/argocd-cm.yaml", configMap)
	assert.Equal(t, configMap.Data, values.Configs.CM)

	override := overrides(t, configMap)[role]
	assert.Equal(t, string(script), override.HealthLua)
	actions, err := override.GetActions()
	require.NoError(t, err)
	assert.Equal(t, string(discovery), actions.ActionDiscoveryLua)
}

// The component adds to the argocd-cm of Argo CD's own manifests and changes nothing else.
func TestComponent(t *testing.T) {
	directory := t.TempDir()
	component, err := filepath.Abs(deployed)
	require.NoError(t, err)
	install := argocd(t) + "/manifests/cluster-install"
	build := func(components ...string) map[string]*unstructured.Unstructured {
		kustomization := types.Kustomization{Resources: []string{install}, Components: components, Namespace: "tools"}
		for _, paths := range [][]string{kustomization.Resources, kustomization.Components} {
			for i := range paths {
				paths[i], err = filepath.Rel(directory, paths[i])
				require.NoError(t, err)
			}
		}
		text, err := yaml.Marshal(kustomization)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(directory, "kustomization.yaml"), text, 0o600))
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
		require.NoError(t, err)
		text, err = built.AsYaml()
		require.NoError(t, err)
		found := map[string]*unstructured.Unstructured{}
		for _, object := range objects(t, text) {
			found[object.GetKind()+"/"+object.GetName()] = object
		}
		return found
	}
	before, after := build(), build(component)
	const patched = "ConfigMap/argocd-cm"
	require.Contains(t, before, patched)
	expected, found := as[corev1.ConfigMap](t, before[patched]), as[corev1.ConfigMap](t, after[patched])
	ours := &corev1.ConfigMap{}
	read(t, deployed+"/argocd-cm.yaml", ours)
	require.NotEmpty(t, expected.Data, "settings of the installation, which stay")
	maps.Copy(expected.Data, ours.Data)
	assert.Equal(t, expected, found)
	delete(before, patched)
	delete(after, patched)
	assert.Equal(t, before, after)
}
