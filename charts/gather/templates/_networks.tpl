{{/* The labels by which policies know a room's pods; the operator makes the workers', `gather doctor` one that checks as a worker. */}}
{{- define "gather.policedLabels" -}}
{{- if eq .room "worker" -}}
app.kubernetes.io/name: gather-worker
{{- else if eq .room "doctor" -}}
app.kubernetes.io/name: gather-worker
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: doctor
{{- else -}}
{{ include "gather.selectorLabels" . }}
{{- end -}}
{{- end -}}

{{/* A NetworkPolicy's egress rules by which a URL's host is reached, as JSON: dict "root" . "url" .Values.appUrl. */}}
{{- define "gather.wayTo" -}}
{{- $url := urlParse .url -}}
{{- $host := $url.hostname -}}
{{- $parts := splitList "." $host -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | int | default (get (dict "http" 80 "https" 443) $url.scheme | default 7687) -}}
{{- $ports := list (dict "port" $port) -}}
{{- if contains ":" $host -}}
{{- list (dict "to" (list (dict "ipBlock" (dict "cidr" (printf "%s/128" $host)))) "ports" $ports) | toJson -}}
{{- else if regexMatch "^[0-9.]+$" $host -}}
{{- list (dict "to" (list (dict "ipBlock" (dict "cidr" (printf "%s/32" $host)))) "ports" $ports) | toJson -}}
{{- else if or (eq (len $parts) 1) (and (gt (len $parts) 2) (eq (index $parts 2) "svc")) -}}
{{- /* A Service, whose pods may listen on another port than it does. */ -}}
{{- $namespace := eq (len $parts) 1 | ternary .root.Release.Namespace (index (append $parts "") 1) -}}
{{- list (dict "to" (list (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" $namespace))))) | toJson -}}
{{- else -}}
{{- $anywhere := list -}}
{{- range $family := list (dict "cidr" "0.0.0.0/0" "is" "^[^:]+$") (dict "cidr" "::/0" "is" ":") -}}
{{- $closed := list -}}
{{- range $.root.Values.networkPolicy.egress.closed | default list }}{{ if regexMatch $family.is . }}{{ $closed = append $closed . }}{{ end }}{{ end -}}
{{- $anywhere = append $anywhere (dict "ipBlock" (dict "cidr" $family.cidr "except" $closed)) -}}
{{- end -}}
{{- list (dict "to" $anywhere "ports" $ports) | toJson -}}
{{- end -}}
{{- end -}}

{{/*
What is on the internet, as JSON: the bridge refuses the same addresses by itself (bridge/gather_bridge/webhooks/url_guard.py);
and what it is allowed besides.
*/}}
{{- define "gather.wayToWebhooks" -}}
{{- $private := list "0.0.0.0/8" "10.0.0.0/8" "100.64.0.0/10" "127.0.0.0/8" "169.254.0.0/16" "172.16.0.0/12" "192.0.0.0/24" "192.0.2.0/24" "192.88.99.0/24" "192.168.0.0/16" "198.18.0.0/15" "198.51.100.0/24" "203.0.113.0/24" "224.0.0.0/4" "240.0.0.0/4" -}}
{{- $special := list "2001::/23" "2001:db8::/32" "2002::/16" "3fff::/20" -}}
{{- range .Values.networkPolicy.egress.closed | default list -}}
{{- if not (contains ":" .) }}{{ $private = append $private . }}{{ else if regexMatch "^[23]" . }}{{ $special = append $special . }}{{ end -}}
{{- end -}}
{{- $to := list (dict "ipBlock" (dict "cidr" "0.0.0.0/0" "except" (uniq $private))) (dict "ipBlock" (dict "cidr" "2000::/3" "except" (uniq $special))) -}}
{{- with index (.Values.bridge.env | default dict) "GATHER_BRIDGE_WEBHOOK_ALLOWED_NETWORKS" -}}
{{- range fromJsonArray . }}{{ $to = append $to (dict "ipBlock" (dict "cidr" .)) }}{{ end -}}
{{- end -}}
{{- list (dict "to" $to) | toJson -}}
{{- end -}}

{{/* Egress rules to pods of this release, as JSON: dict "root" . "room" "brain", on the port that all rooms serve. */}}
{{- define "gather.wayToRoom" -}}
{{- $selector := dict "matchLabels" (include "gather.selectorLabels" . | fromYaml) -}}
{{- list (dict "to" (list (dict "podSelector" $selector)) "ports" (list (dict "port" 8080))) | toJson -}}
{{- end -}}

{{/* Egress rules by destination, as JSON: what the values give, else what follows from the address that they name. */}}
{{- define "gather.destinations" -}}
{{- $egress := .Values.networkPolicy.egress -}}
{{- $ways := dict -}}
{{- range list "dns" "apiServer" "redis" "mongodb" "broker" "cms" "model" "neo4j" "embedding" "webhooks" "more" -}}
{{- $_ := set $ways . (index $egress . | default list) -}}
{{- end -}}
{{- $brain := .Values.brain.env | default dict -}}
{{- $urls := dict "cms" (list .Values.appUrl) "model" (list .Values.llmBaseUrl) "neo4j" (list .Values.brain.neo4jUri)
    "embedding" (list (get $brain "GATHER_BRAIN_EMBEDDING_BASE_URL") (get $brain "GATHER_BRAIN_NEXT_EMBEDDING_BASE_URL")) -}}
{{- range $name, $named := $urls -}}
{{- if not (get $ways $name) -}}
{{- range compact $named }}{{ $_ := set $ways $name (concat (get $ways $name) (include "gather.wayTo" (dict "root" $ "url" .) | fromJsonArray)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $worker := .Values.worker.env | default dict -}}
{{- range list .Values.model.proxy (get $worker "GATHER_LLM_PROXY") (get $worker "HTTPS_PROXY") (get $worker "HTTP_PROXY") | compact | uniq -}}
{{- $_ := set $ways "model" (concat $ways.model (include "gather.wayTo" (dict "root" $ "url" .) | fromJsonArray)) -}}
{{- end -}}
{{- if not $ways.webhooks }}{{ $_ := set $ways "webhooks" (include "gather.wayToWebhooks" . | fromJsonArray) }}{{ end -}}
{{- $_ := set $ways "brain" (include "gather.wayToRoom" (dict "root" . "room" "brain") | fromJsonArray) -}}
{{- if .Values.bridge.page.doorUrl -}}
{{- if .Values.doors.http.enabled -}}
{{- $_ := set $ways "door" (include "gather.wayToRoom" (dict "root" . "room" "http-door") | fromJsonArray) -}}
{{- else -}}
{{- $_ := set $ways "door" (include "gather.wayTo" (dict "root" . "url" .Values.bridge.page.doorUrl) | fromJsonArray) -}}
{{- end -}}
{{- end -}}
{{- $rooms := dict "matchLabels" (dict "app.kubernetes.io/name" "gather" "app.kubernetes.io/instance" .Release.Name) -}}
{{- $_ := set $ways "rooms" (list (dict "to" (list (dict "podSelector" $rooms)) "ports" (list (dict "port" 8080)))) -}}
{{- toJson $ways -}}
{{- end -}}

{{/* Where each room goes, as JSON: names of destinations. */}}
{{- define "gather.goesTo" -}}
{{- dict
    "operator" (list "dns" "apiServer" "cms" "brain" "redis" "mongodb")
    "release-runs" (list "dns" "apiServer")
    "worker" (list "dns" "model" "brain" "mongodb" "redis" "broker")
    "doctor" (list "cms")
    "brain" (list "dns" "neo4j" "redis" "embedding")
    "bridge" (list "dns" "redis" "mongodb" "door" "webhooks")
    "celery-door" (list "dns" "apiServer" "redis" "broker")
    "http-door" (list "dns" "apiServer" "redis")
    "test" (list "dns" "rooms" "cms" "model" "mongodb" "redis" "broker") | toJson -}}
{{- end -}}

{{/*
An init container that ends when the brain takes its connection, or after 30 s: a network plugin needs a moment until policies
know a new pod, and the check behind it asks once. dict "root" . "room" (whose image has Python).
*/}}
{{- define "gather.awaitPolicies" -}}
{{- if .root.Values.networkPolicy.enabled -}}
initContainers:
  - name: await-policies
    image: {{ include "gather.image" . }}
    imagePullPolicy: {{ (index .root.Values .room).image.pullPolicy }}
    securityContext: {{- include "gather.containerSecurity" .root | nindent 6 }}
    command: [python3, -c]
    args:
      - |
        import socket, sys, time

        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                socket.create_connection((sys.argv[1], 8080), timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
      - {{ include "gather.name" (dict "root" .root "room" "brain") }}
    resources:
      requests: {cpu: 10m, memory: 32Mi, ephemeral-storage: 16Mi}
      limits: {memory: 64Mi, ephemeral-storage: 256Mi}
{{- end -}}
{{- end -}}
