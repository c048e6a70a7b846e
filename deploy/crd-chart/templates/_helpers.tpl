{{- define "smr.labels" -}}
{{- $own := dict
      "app.kubernetes.io/name" "session-manager-role"
      "app.kubernetes.io/instance" .Release.Name
      "app.kubernetes.io/version" .Chart.AppVersion
      "app.kubernetes.io/managed-by" .Release.Service
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")
}}
{{- merge $own (default (dict) .Values.commonLabels) | toYaml }}
{{- end }}
