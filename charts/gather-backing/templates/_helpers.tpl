{{- define "backing.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* dict "root" . "part" "redis" */}}
{{- define "backing.name" -}}
{{- printf "%s-%s" (include "backing.fullname" .root) .part -}}
{{- end -}}

{{- define "backing.selectorLabels" -}}
app.kubernetes.io/name: gather-backing
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "backing.labels" -}}
{{ include "backing.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
gather.ft.tc/not-for: production
{{- end -}}

{{- define "backing.image" -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}

{{- define "backing.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* A Deployment of one pod with a Service before it: dict "root" "part" "image" "port" "portName" "resources"
     "readOnly" "command" "args" "env" "mounts" (name: path) "probe". */}}
{{- define "backing.workload" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "backing.name" . }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels: {{- include "backing.labels" . | nindent 4 }}
spec:
  selector: {{- include "backing.selectorLabels" . | nindent 4 }}
  ports: [{name: {{ .portName }}, port: {{ .port }}, targetPort: {{ .portName }}}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "backing.name" . }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels: {{- include "backing.labels" . | nindent 4 }}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector:
    matchLabels: {{- include "backing.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "backing.labels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 10
      securityContext: {{- include "backing.podSecurity" . | nindent 8 }}
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .part }}
          image: {{ include "backing.image" . }}
          imagePullPolicy: {{ .image.pullPolicy }}
          {{- with .command }}
          command: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .args }}
          args: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .env }}
          env:
            {{- range $name, $value := . }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
          {{- end }}
          ports: [{name: {{ .portName }}, containerPort: {{ .port }}}]
          startupProbe: {{- merge (dict "periodSeconds" 1 "failureThreshold" 180) .probe | toYaml | nindent 12 }}
          readinessProbe: {{- merge (dict "periodSeconds" 3 "timeoutSeconds" 3) .probe | toYaml | nindent 12 }}
          livenessProbe: {{- merge (dict "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6) .probe | toYaml | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: {{ .readOnly }}
            capabilities: {drop: [ALL]}
          resources: {{- toYaml .resources | nindent 12 }}
          volumeMounts:
            {{- range $name, $path := .mounts }}
            - {name: {{ $name }}, mountPath: {{ $path }}}
            {{- end }}
      volumes:
        {{- range $name, $path := .mounts }}
        - {name: {{ $name }}, emptyDir: {}}
        {{- end }}
{{- end -}}
