{{/* Whether a cluster can be asked: not in `helm template`, and not for a namespace that is yet to be made. */}}
{{- define "gather.canLook" -}}
{{- if lookup "v1" "ConfigMap" .Release.Namespace "kube-root-ca.crt" }}yes{{ end -}}
{{- end -}}

{{/* The Secrets that rooms mount, as JSON: the value that names one, the Secret, and the keys without which the room does not start. */}}
{{- define "gather.neededSecrets" -}}
{{- $outbox := .Values.outbox.enabled | ternary (list "MONGODB_URI") (list) -}}
{{- $redis := list "REDIS_URL" -}}
{{- with .Values.redis.caFile }}{{ if hasPrefix "/etc/gather/secrets/" . }}{{ $redis = append $redis (base .) }}{{ end }}{{ end -}}
{{- $worker := concat $redis (list "MONGODB_URI" "BRAIN_SERVICE_API_KEY") -}}
{{- if contains "://openrouter.ai/" .Values.llmBaseUrl }}{{ $worker = append $worker "OPENROUTER_API_KEY" }}{{ end -}}
{{- with .Values.model.caFile }}{{ if hasPrefix "/etc/gather/secrets/" . }}{{ $worker = append $worker (base .) }}{{ end }}{{ end -}}
{{- $brain := empty .Values.brain.neo4jUser | not | ternary (list "keys.json" "NEO4J_PASSWORD") (list "keys.json") -}}
{{- $bridge := concat $redis $outbox (list "GATHER_WEBHOOK_SECRET") -}}
{{- if not .Values.bridge.allowAnonymous }}{{ $bridge = append $bridge "tokens.json" }}{{ end -}}
{{- if .Values.bridge.page.doorUrl }}{{ $bridge = append $bridge "GATHER_BRIDGE_DOOR_KEY" }}{{ end -}}
{{- $needed := list
    (dict "value" "operator" "values" .Values.operator "keys" (concat $redis $outbox))
    (dict "value" "worker" "values" .Values.worker "keys" $worker)
    (dict "value" "brain" "values" .Values.brain "keys" $brain)
    (dict "value" "bridge" "values" .Values.bridge "keys" $bridge) -}}
{{- if .Values.doors.celery.enabled }}
{{- $needed = append $needed (dict "value" "doors.celery" "values" .Values.doors.celery "keys" $redis) -}}
{{- end -}}
{{- if .Values.doors.http.enabled }}
{{- $needed = append $needed (dict "value" "doors.http" "values" .Values.doors.http "keys" (append $redis "keys.json")) -}}
{{- end -}}
{{- $secrets := list -}}
{{- range $needed -}}
{{- $given := list -}}
{{- range .values.extraEnv }}{{ $given = append $given .name }}{{ end -}}
{{- $keys := list -}}
{{- range .keys }}{{ if not (has . $given) }}{{ $keys = append $keys . }}{{ end }}{{ end -}}
{{- $secrets = append $secrets (dict "value" (printf "%s.existingSecret" .value) "secret" .values.existingSecret "keys" $keys) -}}
{{- end -}}
{{- toJson $secrets -}}
{{- end -}}

{{/* What is missing of them in the cluster, as JSON: a sentence for each. */}}
{{- define "gather.missingSecrets" -}}
{{- $namespace := .Release.Namespace -}}
{{- $missing := list -}}
{{- range include "gather.neededSecrets" . | fromJsonArray -}}
{{- if .secret -}}
{{- $secret := lookup "v1" "Secret" $namespace .secret -}}
{{- if not $secret -}}
{{- $missing = append $missing (printf "Secret %s (%s) is missing; it needs the keys %s" .secret .value (join ", " .keys)) -}}
{{- else -}}
{{- $lacks := list -}}
{{- range .keys }}{{ if not (index ($secret.data | default dict) .) }}{{ $lacks = append $lacks . }}{{ end }}{{ end -}}
{{- if $lacks }}{{ $missing = append $missing (printf "Secret %s (%s) lacks %s" .secret .value (join ", " $lacks)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $missing -}}
{{- end -}}
