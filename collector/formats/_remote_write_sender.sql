            -- Who sent it and as whom its key may write, as the strings that a series' text begins with; the first of them is never empty.
            arrayConcat([toString(length(services)), toString(length(envs)), resource['service.name'],
                         coalesce(nullIf(resource['deployment.environment.name'], ''), resource['deployment.environment'])], services, envs) AS sender_strings,
            concat(arrayStringConcat(sender_strings, '\0'), '\0') AS sender_text,
            hexadecimal(sender_strings) AS sender_hex,
            length(sender_strings) AS sender_length,
            arrayMax(kept_rules.3) AS longest
