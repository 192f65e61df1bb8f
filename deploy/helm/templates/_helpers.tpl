{{/* The DaemonSet's name, and the label app, by the mode. */}}
{{- define "terway.name" -}}
{{- get (dict "ENIMultiIP" "terway-eniip" "ENIOnly" "terway-eni" "VPC" "terway") .Values.mode -}}
{{- end -}}

{{- define "terway.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default (printf "v%s" .Chart.AppVersion) }}
{{- end -}}

{{/* eni_conf: what a mode has by default, and the values over it. */}}
{{- define "terway.eniConf" -}}
{{- $minimum := ternary 2 0 (eq .Values.mode "VPC") -}}
{{- $default := dict "version" "1" "max_pool_size" 5 "min_pool_size" $minimum -}}
{{- mergeOverwrite $default (deepCopy .Values.eniConf) | toPrettyJson -}}
{{- end -}}
