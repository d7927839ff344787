#!/bin/sh
# Run a command, and again two seconds after it ends, until SIGTERM; then pass that on and end as the command ends.
#
# A sidecar lives in its service's network and process namespaces. If a crash of the service ended its container, Docker would start it
# again in new namespaces and the sidecar would stay behind in the dead ones. So the crash ends the process, not the container.
stop() {
    trap '' TERM INT
    kill -TERM "$child" 2>/dev/null
    wait "$child"
    exit $?
}
trap stop TERM INT
while :; do
    "$@" &
    child=$!
    wait "$child"
    sleep 2 & # in the background: a trap runs only between commands
    child=$!
    wait "$child"
done
