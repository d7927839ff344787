-- include ../_retention.sql
    -- What lines that are no objects look like: functions of one line's text, applied by _lines.sql to the lines that need them only.
    -- A time without a year is of the year before when it would lie more than a day ahead; without a zone it is UTC.
    (t, form, clock) -> concat(formatDateTime(if(coalesce(parseDateTimeBestEffortOrNull(concat(formatDateTime(clock, form), t), 'UTC'), clock) > addDays(clock, 1),
                               subtractYears(clock, 1), clock), form), t) AS dated,
    (names, values) -> arrayMap((value, place) -> (names[place], value), values, arrayEnumerate(values)) AS named,
    pairs -> arrayFilter(x -> x.1 != '' AND x.2 NOT IN ('', '-'), pairs) AS present,
    -- RFC 5424: priority, time, host, app, process id, message id, structured data, text; before it rsyslog writes a space of its own.
    t -> extractGroups(t, '^<([0-9]{1,3})>1 ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) (-|(?:\\[(?:[^"\\]]|"(?:[^"\\\\]|\\\\.)*")*\\])+) {0,2}((?s:.*))$') AS rfc_5424,
    -- RFC 3164 as loggers and relays write it: with or without a priority, a host, a process id; with a year or without.
    t -> extractGroups(t, '^(?:<([0-9]{1,3})>)?([A-Z][a-z]{2} [ 0-9][0-9] [0-9:.]{8,15}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+) (?:([^ \\[]*[^ \\[:]) )?([^ \\[:]+)(?:\\[([^\\]]*)\\])?: ?((?s:.*))$') AS rfc_3164,
    p -> if(p = '', [], [
        ('syslog.severity', ['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug'][toUInt16OrZero(p) % 8 + 1]),
        ('syslog.facility', ['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp', 'ntp', 'audit', 'alert', 'clock',
                             'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'][intDiv(toUInt16OrZero(p), 8) + 1])]) AS priority,
    t -> arrayFlatten(arrayMap(element -> arrayMap(
                pair -> (concat(extract(element, '^\\[([^ \\]]+)'), '.', pair[1]), replaceRegexpAll(pair[2], '\\\\(["\\\\\\]])', '\\1')),
                extractAllGroupsVertical(element, ' ([^ ="\\]]+)="((?:[^"\\\\]|\\\\.)*)"')),
            extractAll(t, '\\[(?:[^"\\]]|"(?:[^"\\\\]|\\\\.)*")*\\]'))) AS structured_data,
    -- (text, time, pairs) of a line wrapped by syslog, of one by the container runtime interface, of one by docker's json-file. A function of a
    -- function is analysed as often as it is named, so these are given what the patterns found.
    x -> (replaceOne(x[8], '\xEF\xBB\xBF', ''), if(x[2] = '-', '', x[2]),
          arrayConcat(priority(x[1]), named(['', '', 'syslog.hostname', 'syslog.appname', 'syslog.procid', 'syslog.msgid', '', ''], x), structured_data(x[7]))) AS by_rfc_5424,
    (x, clock) -> (x[6], if(match(x[2], '^[0-9]'), x[2], dated(x[2], '%Y ', clock)),
          arrayConcat(priority(x[1]), named(['', '', 'syslog.hostname', 'syslog.appname', 'syslog.procid', ''], x))) AS by_rfc_3164,
    t -> (extract(t, '^<[0-9]+>((?s:.*))$'), '', priority(extract(t, '^<([0-9]+)>'))) AS by_priority,
    t -> (extract(t, '^[^ ]+ [a-z]+ [FP] (.*)$'), extract(t, '^[^ ]+'), []::Array(Tuple(String, String))) AS by_cri,
    t -> (trimRight(JSONExtractString(t, 'log'), '\n'), JSONExtractString(t, 'time'), []::Array(Tuple(String, String))) AS by_docker,
    t -> match(t, '^(?:[A-Za-z_@][A-Za-z0-9_.@/-]*=(?:"(?:[^"\\\\]|\\\\.)*"|[^ "=]*)(?: +|$)){2,}$') AS is_logfmt,
    -- Whether an object is nested, or has nulls or numbers whose text a parser changes. The first expression is true for every object with an
    -- array, too, and is looked for from one colon to the next (measured: a quarter of the last one's cost); few objects come past it.
    t -> match(t, ':\\s*(?:[\\[{]|null|-?(?:[0-9]+\\.[0-9]*0[,}\\]\\s]|[0-9.]+[eE]|[0-9.]{17}))')
        AND (multiSearchAny(t, [':{', ': {', ':null', ': null'])
             OR match(t, '[:,\\[]\\s*-?(?:[0-9]+\\.[0-9]*0[,}\\]\\s]|[0-9.]+[eE]|[0-9.]{17})')) AS changes,
    -- Numbers become strings that begin with control character 1: so their text survives the parser.
    t -> replaceAll(replaceAll(replaceAll(replaceRegexpAll(t, '("(?:[^"\\\\]|\\\\.)*")|(-?[0-9][0-9.eE+-]*)', '\\1\x02\\2\x03'),
                    '\x02\x03', ''), '\x02', '"\\u0001'), '\x03', '"') AS quoted,
    -- Objects inside objects, three levels of them; deeper ones stay JSON text.
    pairs -> arrayFlatten(arrayMap(a -> if(startsWith(a.2, '{') AND a.2 != '{}',
        arrayMap(x -> (concat(a.1, '.', x.1), x.2), JSONExtractKeysAndValuesRaw(a.2)), [a]), pairs)) AS flatter,
    t -> arrayMap(a -> (a.1, multiIf(startsWith(a.2, '"'), trimLeft(JSONExtractString(a.2), '\x01'),
        startsWith(a.2, '[') OR startsWith(a.2, '{'), replaceRegexpAll(a.2, '"\\\\u0001([^"]*)"', '\\1'), a.2)),
        flatter(flatter(flatter(JSONExtractKeysAndValuesRaw(quoted(t)))))) AS rewritten,
    pairs -> toJSONString(CAST(pairs, 'Map(String, String)')) AS as_object,
    -- klog: level, month, day, time, thread, file, line, text. Access logs in the common and the combined format.
    t -> extractGroups(t, '^([IWEF])([0-9]{2})([0-9]{2}) ([0-9:.]{8,15}) +([0-9]+) ([^\\] :]+):([0-9]+)\\] ?(.*)$') AS klog,
    t -> if(position(t, '] "') = 0, [],
        extractGroups(t, '^([^ ]+) [^ ]+ ([^ ]+) \\[([^\\]]+)\\] "(?:([A-Z]+) ([^ "?]*)(?:\\?([^ "]*))?(?: HTTP/([0-9.]+))?|[^"]*)" ([0-9]{3}) ([0-9]+|-)(?: "((?:[^"\\\\]|\\\\.)*)" "((?:[^"\\\\]|\\\\.)*)")?')) AS access,
    t -> extract(t, '^\\[?([0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?: ?(?:Z|[+-][0-9]{2}:?[0-9]{2})\\b)?)') AS leading_time,
    'TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL|PANIC' AS levels,
    -- (time, level, pairs) of a line of text: klog's, an access log's, or what begins it.
    (x, clock) -> (dated(concat(x[2], '-', x[3], ' ', x[4]), '%Y-', clock), x[1],
         named(['', '', '', '', 'thread.id', 'code.file.path', 'code.line.number', 'message'], x)) AS by_klog,
    x -> (replaceRegexpOne(x[3], '^([0-9]+)/([A-Za-z]+)/([0-9]+):', '\\1 \\2 \\3 '), '',
         named(['client.address', 'user.name', '', 'http.request.method', 'url.path', 'url.query', 'network.protocol.version', 'http.response.status_code',
                'http.response.body.size', 'http.request.header.referer', 'user_agent.original'], x)) AS by_access,
    (t, leading) -> if(leading != '',
        (replaceAll(leading, '/', '-'),
         trim(BOTH '[]' FROM extract(substring(t, length(leading) + 1, 60), concat('\\b(?:', levels, ')\\b|\\[(?:debug|info|notice|warn|error|crit|alert|emerg)\\]'))),
         []::Array(Tuple(String, String))),
        ('', extract(t, concat('^[\\[<]?(', levels, ')(?:[\\]>: ]|$)')), []::Array(Tuple(String, String)))) AS by_its_beginning
