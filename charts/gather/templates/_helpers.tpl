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
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .room }}
{{- end -}}

{{- define "gather.labels" -}}
{{ include "gather.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "gather.image" -}}
{{- $image := (index .root.Values .room).image -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}

{{/* A room's Secret; without one nothing works, so say what it must hold. */}}
{{- define "gather.secret" -}}
{{- required (printf "%s.existingSecret is required: a Secret with the files that charts/gather/values.yaml lists there" .room) (index .root.Values .room).existingSecret -}}
{{- end -}}

{{/* What every pod of ours is held to: the restricted profile, and a root file system that cannot be written. */}}
{{- define "gather.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "gather.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "gather.probes" -}}
startupProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 1
  failureThreshold: 180
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 3
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{/* Placement and pull secrets of a room's pod. */}}
{{- define "gather.placement" -}}
{{- $room := index .root.Values .room -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $room.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $room.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
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
