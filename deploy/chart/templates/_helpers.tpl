{{/* The chart's name in labels. */}}
{{- define "smr.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the objects. */}}
{{- define "smr.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "smr.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "smr.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Name of what belongs to the whole cluster: releases of one name may be in several namespaces. */}}
{{- define "smr.clusterScopedName" -}}
{{- $name := include "smr.fullname" . }}
{{- if eq $name .Release.Namespace }}
{{- $name }}
{{- else }}
{{- printf "%s-%s" .Release.Namespace $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects the Pods. It can't change in an upgrade. */}}
{{- define "smr.selectorLabels" -}}
app.kubernetes.io/name: {{ include "smr.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Of two that set the same label, the chart's own counts: the selector needs it. */}}
{{- define "smr.labels" -}}
{{- $own := dict
      "app.kubernetes.io/version" .Chart.AppVersion
      "app.kubernetes.io/managed-by" .Release.Service
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")
}}
{{- merge (include "smr.selectorLabels" . | fromYaml) $own (default (dict) .Values.commonLabels) | toYaml }}
{{- end }}

{{/* Labels and annotations of an object. In: context, labels, annotations. */}}
{{- define "smr.metadata" -}}
labels:
  {{- merge (include "smr.labels" .context | fromYaml) (default (dict) .labels) | toYaml | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) (default (dict) .context.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "smr.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "smr.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "smr.image" -}}
{{- $image := .Values.image.repository }}
{{- with .Values.image.registry }}{{ $image = printf "%s/%s" . $image }}{{ end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $image .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $image (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "smr.leaseNamespace" -}}
{{- default .Release.Namespace .Values.leaderElection.namespace }}
{{- end }}

{{/* What can't work fails here, before anything is sent to the cluster. */}}
{{- define "smr.validate" -}}
{{- if not .Values.clusterName }}
{{- fail "clusterName is empty. Set it to the name of this cluster, unique among all clusters that share the AWS account: --set clusterName=production" }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection.enabled) }}
{{- fail (printf "replicas is %d and leaderElection.enabled is false: two controllers would write to the same IAM objects. Set leaderElection.enabled=true or replicas=1" (int .Values.replicas)) }}
{{- end }}
{{- if and .Values.aws.roleArn (hasKey (default (dict) .Values.serviceAccount.annotations) "eks.amazonaws.com/role-arn") }}
{{- fail "aws.roleArn and serviceAccount.annotations both set eks.amazonaws.com/role-arn. Keep aws.roleArn" }}
{{- end }}
{{- if and .Values.aws.roleArn (not .Values.serviceAccount.create) }}
{{- fail "aws.roleArn annotates the ServiceAccount, but serviceAccount.create is false. Annotate your own ServiceAccount with eks.amazonaws.com/role-arn, and leave aws.roleArn empty" }}
{{- end }}
{{- end }}
