{{/*
A door: dict "root" . "room" "celery-door" "values" .Values.doors.celery "key" "doors.celery" "command" "celery" "env" (list of
{name, value}). A Deployment of the bridge's image with a token for GatherRuns, and what belongs to it.
*/}}
{{- define "gather.door" -}}
{{- $room := dict "root" .root "room" .room -}}
{{- $secret := required (printf "%s.existingSecret is required: a Secret with the files that charts/gather/values.yaml lists there" .key) .values.existingSecret -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "gather.name" $room }}
  labels: {{- include "gather.labels" $room | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ include "gather.name" $room }}
  labels: {{- include "gather.labels" $room | nindent 4 }}
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
  labels: {{- include "gather.labels" $room | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ include "gather.name" $room }}}
subjects:
  - {kind: ServiceAccount, name: {{ include "gather.name" $room }}, namespace: {{ .root.Release.Namespace }}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "gather.name" $room }}
  labels: {{- include "gather.labels" $room | nindent 4 }}
spec:
  selector: {{- include "gather.selectorLabels" $room | nindent 4 }}
  ports: [{name: http, port: 8080, targetPort: http}, {name: metrics, port: 9090, targetPort: metrics}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "gather.name" $room }}
  labels: {{- include "gather.labels" $room | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector:
    matchLabels: {{- include "gather.selectorLabels" $room | nindent 6 }}
  template:
    metadata:
      labels: {{- include "gather.labels" $room | nindent 8 }}
    spec:
      serviceAccountName: {{ include "gather.name" $room }}
      automountServiceAccountToken: true
      # Kubernetes would add GATHER_*_PORT=tcp://... for our Services, which are names of settings.
      enableServiceLinks: false
      securityContext: {{- include "gather.podSecurity" .root | nindent 8 }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if gt (int .values.replicas) 1 }}
      # One node's end is not the end of them all.
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector:
                  matchLabels: {{- include "gather.selectorLabels" $room | nindent 20 }}
      {{- end }}
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
            {{- range $name, $value := .values.env }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
          {{- include "gather.probes" .root | nindent 10 }}
          resources: {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - {name: secrets, mountPath: /etc/gather/secrets, readOnly: true}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: secrets
          secret: {secretName: {{ $secret }}, defaultMode: 0440}
        - name: tmp
          emptyDir: {sizeLimit: 16Mi}
{{- if gt (int .values.replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "gather.name" $room }}
  labels: {{- include "gather.labels" $room | nindent 4 }}
# With one replica it would block every drain; with more, one at a time may go.
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "gather.selectorLabels" $room | nindent 6 }}
{{- end }}
{{- if .root.Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "gather.name" $room }}
  labels: {{- include "gather.labels" $room | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "gather.selectorLabels" $room | nindent 6 }}
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector: {}
        {{- range .root.Values.networkPolicy.clientNamespaces }}
        - namespaceSelector: {matchLabels: {{ . | toJson }}}
        {{- end }}
      ports: [{port: http}, {port: metrics}]
{{- end }}
{{- if .root.Values.monitoring.serviceMonitor.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "gather.name" $room }}
  labels:
    {{- include "gather.labels" $room | nindent 4 }}
    {{- with .root.Values.monitoring.labels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  selector:
    matchLabels: {{- include "gather.selectorLabels" $room | nindent 6 }}
  endpoints: [{honorLabels: true, port: metrics, path: /metrics, interval: {{ .root.Values.monitoring.serviceMonitor.interval }}}]
{{- end }}
{{- end -}}
