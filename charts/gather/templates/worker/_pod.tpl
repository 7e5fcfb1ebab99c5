{{/* What the values say of worker pods beside image, Secret, place and resources, as JSON: only what is set. */}}
{{- define "gather.workerPod" -}}
{{- $worker := .Values.worker -}}
{{- $pod := dict "securityContext" (.Values.podSecurityContext | default dict) -}}
{{- with merge (deepCopy ($worker.podLabels | default dict)) (.Values.commonLabels | default dict) -}}
{{- $_ := set $pod "labels" . -}}
{{- end -}}
{{- with $worker.podAnnotations }}{{ $_ := set $pod "annotations" . }}{{ end -}}
{{- with $worker.priorityClassName | default (.Values.global).priorityClassName }}{{ $_ := set $pod "priorityClassName" . }}{{ end -}}
{{- range list "affinity" "topologySpreadConstraints" "extraEnv" "extraVolumes" "extraVolumeMounts" -}}
{{- $name := . -}}
{{- with index $worker $name }}{{ $_ := set $pod $name . }}{{ end -}}
{{- end -}}
{{- toJson $pod -}}
{{- end -}}
