{{/*
A door: dict "root" . "room" "celery-door" "values" .Values.doors.celery "key" "doors.celery" "command" "celery" "env" (list of
{name, value}). A Deployment of the bridge's image with a token for GatherRuns, and what belongs to it.
*/}}
{{- define "gather.door" -}}
{{- $room := dict "root" .root "room" .room "values" .values "many" (gt (int .values.replicas) 1) -}}
{{- $secret := required (printf "%s.existingSecret is required: a Secret with the files that charts/gather/values.yaml lists there" .key) .values.existingSecret -}}
{{ include "gather.serviceAccount" $room }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "gather.name" $room }}
  {{- include "gather.metadata" $room | nindent 2 }}
# What bridge/gather_bridge/task_runs calls, and nothing more. A watch from nothing brings all there is, so there is no list.
rules:
  - apiGroups: [gather.ft.tc]
    resources: [gatherruns]
    verbs: [create, get, watch, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "gather.name" $room }}
  {{- include "gather.metadata" $room | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ include "gather.name" $room }}}
subjects:
  - {kind: ServiceAccount, name: {{ include "gather.name" $room }}, namespace: {{ .root.Release.Namespace }}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "gather.name" $room }}
  {{- include "gather.metadata" $room | nindent 2 }}
spec:
  {{- include "gather.ipFamilies" .root | nindent 2 }}
  selector: {{- include "gather.selectorLabels" $room | nindent 4 }}
  ports: [{name: http, port: 8080, targetPort: http}, {name: metrics, port: 9090, targetPort: metrics}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "gather.name" $room }}
  {{- include "gather.metadata" $room | nindent 2 }}
spec:
  replicas: {{ .values.replicas }}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector:
    matchLabels: {{- include "gather.selectorLabels" $room | nindent 6 }}
  template:
    metadata: {{- include "gather.podMetadata" $room | nindent 6 }}
    spec:
      serviceAccountName: {{ include "gather.name" $room }}
      automountServiceAccountToken: true
      # Kubernetes would add GATHER_*_PORT=tcp://... for our Services, which are names of settings.
      enableServiceLinks: false
      {{- include "gather.podPlace" $room | nindent 6 }}
      containers:
        - name: {{ .room }}
          image: {{ include "gather.image" (dict "root" .root "room" "bridge") }}
          imagePullPolicy: {{ .root.Values.bridge.image.pullPolicy }}
          args: [{{ .command }}]
          securityContext: {{- include "gather.containerSecurity" .root | nindent 12 }}
          ports: [{name: http, containerPort: 8080}, {name: metrics, containerPort: 9090}]
          env:
            - {name: GATHER_NAMESPACE, value: {{ .root.Release.Namespace | quote }}}
            {{- include "gather.redisEnv" .root | nindent 12 }}
            - {name: GATHER_LOG_LEVEL, value: {{ .values.logLevel | quote }}}
            {{- range .env }}
            - {name: {{ .name }}, value: {{ .value | quote }}}
            {{- end }}
            {{- include "gather.moreEnv" $room | nindent 12 }}
          {{- include "gather.probes" .root | nindent 10 }}
          resources: {{- toYaml .values.resources | nindent 12 }}
          volumeMounts: {{- include "gather.volumeMounts" $room | nindent 12 }}
      volumes: {{- include "gather.volumes" (merge (dict "secret" $secret "tmp" "16Mi") $room) | nindent 8 }}
{{ include "gather.podDisruptionBudget" $room }}
{{- if .root.Values.monitoring.serviceMonitor.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "gather.name" $room }}
  {{- include "gather.metadata" (merge (dict "more" .root.Values.monitoring.labels) $room) | nindent 2 }}
spec:
  selector:
    matchLabels: {{- include "gather.selectorLabels" $room | nindent 6 }}
  endpoints: [{honorLabels: true, port: metrics, path: /metrics, interval: {{ .root.Values.monitoring.serviceMonitor.interval }}}]
{{- end }}
{{- end -}}
