// CRDs in, and objects that their schemas and rules are asked about: what the API server does before it
// takes an object, by its own libraries. IO: reads the CRDs.
package argocd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

type schemas map[schema.GroupVersionKind]*apiextensions.JSONSchemaProps

// Where the source of Argo CD is, in the version that go.mod names.
func argocd(t *testing.T) string {
	t.Helper()
	directory, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(directory))
}

// Ours, and Argo CD's of the version that go.mod names.
func definitions(t *testing.T) schemas {
	t.Helper()
	paths, err := filepath.Glob(argocd(t) + "/manifests/crds/*-crd.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	found := schemas{}
	for _, path := range append(paths, root+"/crds/sessionmanagerroles.sessionmanager.dev.yaml") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, object := range objects(t, text) {
			definition := as[apiextensionsv1.CustomResourceDefinition](t, object)
			for _, version := range definition.Spec.Versions {
				internal := &apiextensions.JSONSchemaProps{}
				require.NoError(t, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
					version.Schema.OpenAPIV3Schema, internal, nil))
				kind := schema.GroupVersionKind{
					Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind,
				}
				found[kind] = internal
			}
		}
	}
	return found
}

// Why the API server would not take an object; nil where it would.
func (s schemas) refuses(object *unstructured.Unstructured) error {
	definition, ok := s[object.GroupVersionKind()]
	if !ok {
		return fmt.Errorf("no CRD for %s", object.GroupVersionKind())
	}
	structural, err := structuralschema.NewStructural(definition)
	if err != nil {
		return err
	}
	unknown := pruning.PruneWithOptions(object.DeepCopy().Object, structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return fmt.Errorf("unknown fields: %v", unknown)
	}
	validator, _, err := validation.NewSchemaValidator(definition)
	if err != nil {
		return err
	}
	errors := validation.ValidateCustomResource(nil, object.Object, validator)
	if rules := cel.NewValidator(structural, true, celconfig.PerCallLimit); rules != nil {
		broken, _ := rules.Validate(context.Background(), nil, structural, object.Object, nil, celconfig.RuntimeCELCostBudget)
		errors = append(errors, broken...)
	}
	return errors.ToAggregate()
}
