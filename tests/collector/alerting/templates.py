"""Templates and what they are filled to: the same words for our own code and for promtool."""

LABELS = {"job": "api", "instance": "10.0.0.1:9090", "pod": "web-1.example.com:80", "n": "12"}
VALUE = 1234567.5

# A template, and what it is filled to.
FILLED = [
    ("{{ $value }}", "1.2345675e+06"),
    ("{{ .Value }} {{.Labels.job}} {{ $labels.absent }}|", "1.2345675e+06 api |"),
    ("{{ $value | humanize }} {{ humanize 0.00012 }} {{ humanize 999.95 }}", "1.235M 120u 1000"),
    ("{{ humanize1024 1048576 }} {{ humanize1024 0.5 }} {{ humanize 0 }}", "1Mi 0.5 0"),
    ("{{ humanizeDuration 0 }} {{ humanizeDuration 0.0012 }} {{ humanizeDuration 61 }}", "0s 1.2ms 1m 1s"),
    ("{{ humanizeDuration 90061 }} {{ humanizeDuration -3661 }} {{ humanizeDuration 1.5 }}", "1d 1h 1m 1s -1h 1m 1s 1.5s"),
    ("{{ humanizePercentage 0.12345 }} {{ humanizePercentage 1 }}", "12.35% 100%"),
    ("{{ humanizeTimestamp 1435065584.128 }}", "2015-06-23 13:19:44.128 +0000 UTC"),
    ('{{ printf "%.2f %5.1f|%-6s|%6s|%d %q %v %%" $value 2.25 "ab" "cd" 7 "q" true }}', '1234567.50   2.2|ab    |    cd|7 "q" true %'),
    ('{{ printf "%d" $value }} {{ printf "%s" }} {{ printf "a" 1 }}', "%!d(float64=1.2345675e+06) %!s(MISSING) a%!(EXTRA int=1)"),
    ('{{ "hello big world" | title }} {{ toUpper "aB" }} {{ toLower "aB" }}', "Hello Big World AB ab"),
    ('{{ if match "^ap" $labels.job }}yes{{ else }}no{{ end }}', "yes"),
    ('{{ reReplaceAll "(.*):(\\\\d+)" "$2-${1}" $labels.instance }}', "9090-10.0.0.1"),
    ('{{ reReplaceAll "(.*):\\\\d+" "$1" $labels.instance }}', "10.0.0.1"),
    ("{{ stripPort $labels.instance }} {{ stripDomain $labels.pod }}", "10.0.0.1 web-1:80"),
    ("{{ range $name, $text := $labels }}{{ $name }}={{ $text }};{{ end }}", "__name__=x;instance=10.0.0.1:9090;job=api;n=12;pod=web-1.example.com:80;"),
    ("{{ if gt $value 5.0 }}big{{ else if eq $labels.job `x` }}x{{ else }}small{{ end }}", "big"),
    ("{{ if and (eq $labels.job `api`) (not (eq $labels.n `13`)) }}both{{ end }}", "both"),
    ("{{ with $labels.absent }}{{ . }}{{ else }}none{{ end }} {{ with $labels.job }}<{{ . }}>{{ end }}", "none <api>"),
    ("a {{- /* a comment */ -}} b {{ $x := 3 }}{{ $x = 4 }}{{ $x }} c  {{- ` d` }}", "ab 4 c d"),
    ("{{ $labels.n | humanize }} {{ len $labels.job }} {{ index $labels `job` }}", "12 3 api"),
    ("{{ print 1 2 `a` 3 }} {{ (print `x`) }} {{ 1e21 }} {{ 0.00001 }} {{ 100000.0 }}", "1 2a3 x 1e+21 1e-05 100000"),
    ("{{ or $labels.absent `fallback` }} {{ true }} {{ ne 1 2 }} {{ le 1.5 1.5 }}", "fallback true true true"),
    ('{{ (args "a" "b").arg1 }} {{ urlquery "a b&c" }} {{ html "<a>" }}', "b a+b%26c &lt;a&gt;"),
    ("{{ range $i, $x := query `up` | sortByLabel `job` }}{{ $i }}:{{ $x.Labels.job }}={{ $x.Value }} {{ end }}", "0:a=1 1:b=0 "),
    ('{{ with query `up{job="a"}` }}{{ . | first | value }} {{ . | first | label `job` }}{{ end }}', "1 a"),
    ("{{ range query `up` | sortByLabel `job` }}{{ .Labels.job }}{{ end }} {{ (query `up == 0` | first).Value }}", "ab 0"),
    ("{{ $externalLabels.cluster }}", "eu"),
]  # fmt: skip
