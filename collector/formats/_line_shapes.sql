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
    -- (text, time, pairs) of a line in syslog's or the container runtime interface's wrapping; of another the line itself.
    (t, clock) -> if(notEmpty(rfc_5424(t)),
        (replaceOne(rfc_5424(t)[8], '\xEF\xBB\xBF', ''), if(rfc_5424(t)[2] = '-', '', rfc_5424(t)[2]),
         arrayConcat(priority(rfc_5424(t)[1]), named(['', '', 'syslog.hostname', 'syslog.appname', 'syslog.procid', 'syslog.msgid', '', ''], rfc_5424(t)),
                     structured_data(rfc_5424(t)[7]))),
        if(notEmpty(rfc_3164(t)),
           (rfc_3164(t)[6], if(match(rfc_3164(t)[2], '^[0-9]'), rfc_3164(t)[2], dated(rfc_3164(t)[2], '%Y ', clock)),
            arrayConcat(priority(rfc_3164(t)[1]), named(['', '', 'syslog.hostname', 'syslog.appname', 'syslog.procid', ''], rfc_3164(t)))),
           (t, '', []::Array(Tuple(String, String))))) AS syslog,
    (t, format, clock) -> multiIf(
        format IN ('', 'detect', 'cri') AND match(t, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]+ (?:stdout|stderr) [FP] '),
        (extract(t, '^[^ ]+ [a-z]+ [FP] (.*)$'), extract(t, '^[^ ]+'), []::Array(Tuple(String, String))),
        -- declared as syslog, a priority alone is enough, as some loggers write it
        format = 'syslog' AND match(t, '^<[0-9]{1,3}>') AND empty(rfc_5424(t)) AND empty(rfc_3164(t)),
        (extract(t, '^<[0-9]+>((?s:.*))$'), '', priority(extract(t, '^<([0-9]+)>'))),
        format IN ('', 'detect', 'syslog'), syslog(t, clock),
        (t, '', []::Array(Tuple(String, String)))) AS unwrapped,
    -- What of a line's text is a record, its time if the wrapping has one, pairs from the wrapping.
    (t, format, clock) -> multiIf(
        startsWith(t, '{"log":"') AND format IN ('', 'detect', 'docker') AND JSONHas(t, 'stream'),
        (trimRight(JSONExtractString(t, 'log'), '\n'), JSONExtractString(t, 'time'), []::Array(Tuple(String, String))),
        startsWith(t, '{'), (t, '', []::Array(Tuple(String, String))),
        unwrapped(t, format, clock)) AS opened_by,
    t -> match(t, '^(?:[A-Za-z_@][A-Za-z0-9_.@/-]*=(?:"(?:[^"\\\\]|\\\\.)*"|[^ "=]*)(?: +|$)){2,}$') AS is_logfmt,
    -- Whether an object is nested, or has nulls or numbers whose text a parser changes. The first expression is true for every object with an
    -- array, too, and is looked for from one colon to the next (measured: a quarter of the second one's cost).
    t -> multiSearchAny(t, [':{', ': {', ':null', ': null'])
        OR match(t, ':\\s*(?:\\[|-?(?:[0-9]+\\.[0-9]*0[,}\\]\\s]|[0-9.]+[eE]|[0-9.]{17}))')
           AND match(t, '[:,\\[]\\s*-?(?:[0-9]+\\.[0-9]*0[,}\\]\\s]|[0-9.]+[eE]|[0-9.]{17})') AS changes,
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
    (t, clock) -> multiIf(
        notEmpty(klog(t)),
        (dated(concat(klog(t)[2], '-', klog(t)[3], ' ', klog(t)[4]), '%Y-', clock), klog(t)[1],
         named(['', '', '', '', 'thread.id', 'code.file.path', 'code.line.number', 'message'], klog(t))),
        notEmpty(access(t)),
        (replaceRegexpOne(access(t)[3], '^([0-9]+)/([A-Za-z]+)/([0-9]+):', '\\1 \\2 \\3 '), '',
         named(['client.address', 'user.name', '', 'http.request.method', 'url.path', 'url.query', 'network.protocol.version', 'http.response.status_code',
                'http.response.body.size', 'http.request.header.referer', 'user_agent.original'], access(t))),
        leading_time(t) != '',
        (replaceAll(leading_time(t), '/', '-'),
         trim(BOTH '[]' FROM extract(substring(t, length(leading_time(t)) + 1, 60), concat('\\b(?:', levels, ')\\b|\\[(?:debug|info|notice|warn|error|crit|alert|emerg)\\]'))),
         []::Array(Tuple(String, String))),
        ('', extract(t, concat('^[\\[<]?(', levels, ')(?:[\\]>: ]|$)')), []::Array(Tuple(String, String)))) AS told_by
