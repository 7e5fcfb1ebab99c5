{{/* The release's name, with "gather" in it, cut so that suffixes fit. */}}
{{- define "gather.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "gather" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-gather" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of a room's objects: dict "root" . "room" "brain". */}}
{{- define "gather.name" -}}
{{- printf "%s-%s" (include "gather.fullname" .root) .room -}}
{{- end -}}

{{- define "gather.selectorLabels" -}}
app.kubernetes.io/name: gather
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .room }}
{{- end -}}

{{/* Ours, then those of .more (a pod's, a monitor's), then those of commonLabels. */}}
{{- define "gather.labels" -}}
{{- $own := include "gather.ownLabels" . | fromYaml -}}
{{ toYaml (merge $own (.more | default dict) (.root.Values.commonLabels | default dict)) }}
{{- end -}}

{{- define "gather.ownLabels" -}}
{{ include "gather.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/*
A room's image: its repository, in global.imageRegistry instead of its own registry if that is set, with tag and digest.
The first part of a name is a registry if it has a dot or a port, or is localhost.
*/}}
{{- define "gather.image" -}}
{{- $image := (index .root.Values .room).image -}}
{{- $repository := $image.repository -}}
{{- with (.root.Values.global).imageRegistry -}}
{{- $parts := splitList "/" $repository -}}
{{- $hasHost := and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (ternary (rest $parts) $parts $hasHost | join "/") -}}
{{- end -}}
{{- printf "%s:%s" $repository ($image.tag | default .root.Chart.AppVersion) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* A room's Secret; without one nothing works, so say what it must hold. */}}
{{- define "gather.secret" -}}
{{- required (printf "%s.existingSecret is required: a Secret with the files that charts/gather/values.yaml lists there" .room) (index .root.Values .room).existingSecret -}}
{{- end -}}

{{/* How the CMS is asked, as environment variables; for those who ask it: the operator, and the check before a run. */}}
{{- define "gather.cmsEnv" -}}
- {name: NEXT_PUBLIC_APP_URL, value: {{ required "appUrl is required: the CMS's address" .Values.appUrl | quote }}}
{{- with .Values.operator.cms }}
- {name: GATHER_CMS_AUTHORIZATION, value: {{ .authorization | quote }}}
- {name: GATHER_CMS_LIMIT, value: {{ .limit | quote }}}
- {name: GATHER_CMS_PAGING, value: {{ .paging | quote }}}
- {name: GATHER_CMS_INSTRUCTIONS_FIELD, value: {{ .instructionsField | quote }}}
{{- end }}
{{- end -}}

{{/* Where the brain answers, within the cluster. */}}
{{- define "gather.brainUrl" -}}
http://{{ include "gather.name" (dict "root" . "room" "brain") }}.{{ .Release.Namespace }}.svc:8080
{{- end -}}

{{/* What all rooms know of Redis besides its address, as environment variables. */}}
{{- define "gather.redisEnv" -}}
- {name: GATHER_REDIS_KEY_PREFIX, value: {{ .Values.redis.keyPrefix | quote }}}
{{- with .Values.redis.caFile }}
- {name: GATHER_REDIS_CA_FILE, value: {{ . | quote }}}
{{- end }}
{{- end -}}

{{/* The operator's rooms, as JSON: one for each shard; the first is called as an operator without shards. */}}
{{- define "gather.operatorRooms" -}}
{{- $rooms := list "operator" -}}
{{- range untilStep 1 (int .Values.operator.shards) 1 -}}
{{- $rooms = append $rooms (printf "operator-%d" .) -}}
{{- end -}}
{{- toJson $rooms -}}
{{- end -}}

{{/* Where the operator works and by which Lease, as environment variables. */}}
{{- define "gather.operatorPlaceEnv" -}}
{{- $name := include "gather.name" (dict "root" . "room" "operator") -}}
- {name: GATHER_NAMESPACE, value: {{ .Release.Namespace | quote }}}
- {name: GATHER_LEASE, value: {{ $name | quote }}}
- {name: GATHER_IDENTITY, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: GATHER_LOG_LEVEL, value: {{ .Values.operator.logLevel | quote }}}
{{- end -}}
