#!/usr/bin/env bats
# The plugin scheduler-formation beside the ps plugin in a Dokku-shaped tree: a plugn of our own, other plugins whose hooks
# write down how they were called, the real programs and real processes.

bats_require_minimum_version 1.5.0

load world

setup_file() { find_programs; }

setup() {
  make_native_world
  export DOKKU_PID=100
  SERVICE=$DOKKU_LIB_ROOT/data/scheduler-native/demo
  TREE=$BATS_TEST_TMPDIR/tree
  mkdir "$DOKKU_ROOT/demo"
  put config/scheduler/demo/selected native
  put config/ps/demo/scale $'web=1\n'
  put config/ps/demo/stop-timeout-seconds 2
  # shellcheck disable=SC2016  # The hook's own variables.
  other release-and-deploy 'plugn trigger scheduler-deploy native "$1" "$2" ""'
}

teardown() {
  plugn trigger scheduler-post-delete native demo latest
}

other() { hook_of other "$@"; }

# A push of this Procfile as this revision: the triggers of Dokku's git plugin, in its order, in a deploy of its own. As
# there, a post-extract that fails ends nothing.
push() {
  DOKKU_PID=$((DOKKU_PID + 1))
  mkdir -p "$TREE"
  printf '%s' "$1" >"$TREE/Procfile"
  plugn trigger core-post-extract demo "$TREE" "$2"
  plugn trigger post-extract demo "$TREE" "$2" || true
  rm -rf "$TREE"
  plugn trigger post-release-builder dockerfile demo dokku/demo:latest
  run timeout 60 plugn trigger scheduler-deploy native demo latest ""
}

# `dokku ps:<name> <word>…`, as the front-end runs it, in a deploy of its own.
ps() {
  DOKKU_PID=$((DOKKU_PID + 1))
  run timeout 60 "$PLUGIN_PATH/enabled/ps/subcommands/$1" "ps:$1" "${@:2}"
}

status() { ps-lifecycle status demo --json; }

pids() { status | jq -r 'select(.pid != null) | .pid' | sort | tr '\n' ' '; }

# The names in a directory, in order, but for those that begin with a dot.
names() { find "$1" -mindepth 1 -maxdepth 1 -not -name '.*' -printf '%f\n' | sort | tr '\n' ' '; }

gone() {
  local pid until=$((SECONDS + 10))
  for pid in "$@"; do
    while [[ -d /proc/$pid ]] && ((SECONDS < until)); do sleep 0.05; done
    [[ ! -d /proc/$pid ]] || { echo "$pid lives"; return 1; }
  done
}

# shellcheck disable=SC2016  # For the app's shell.
WEB='web: faultapp --say "in $PWD" --listen $PORT'

@test "what was pushed runs from a copy of its own, and a proxy finds it" {
  push "$WEB"$'\n' abc123
  [[ $status == 0 && $output == *"-----> Deploying web (count=1)"*"-----> Running post-deploy"* ]] || { echo "$output"; false; }
  local port
  port=$(<"$DOKKU_ROOT/demo/PORT.web.1")
  [[ $(<"$DOKKU_ROOT/demo/IP.web.1") == 127.0.0.1 && $(curl -sf "http://127.0.0.1:$port/pid") == "$(status | jq .pid)" ]]
  [[ $(ls "$SERVICE/src") == abc123 && -f $SERVICE/src/abc123/Procfile ]]
  [[ $(plugn trigger scheduler-app-status native demo) == "1 true" ]]
  plugn trigger scheduler-is-deployed native demo
  [[ $(plugn trigger scheduler-logs native demo web false true 10) == "in $SERVICE/src/abc123"* ]]
  [[ $(plugn trigger scheduler-logs native demo "" false false 10) == *"app[web.1]:"*" in $SERVICE/src/abc123"* ]]
  [[ $(<"$DOKKU_LIB_ROOT/data/ps/demo/Procfile") == "$WEB" && $(<"$DOKKU_LIB_ROOT/config/ps/demo/restore") == true ]]
  ps report demo --running
  [[ $output == true ]]
}

@test "a new push replaces it, and one that does not run leaves it alone" {
  push "$WEB"$'\n' one
  local before
  before=$(pids)
  push "$WEB"$'\n' one
  [[ $status == 0 && $(ls "$SERVICE/src") == one.2 && $(pids) != "$before" ]] || { echo "$output"; false; }
  # shellcheck disable=SC2086  # Words.
  gone $before
  before=$(pids)
  push $'web: faultapp --say no --exit-after 100 --exit-code 3\n' two
  [[ $status == 1 && $output == *"web.1 of demo ended within its first second (exit status 3)"* && $(pids) == "$before" ]] || { echo "$output"; false; }
  [[ $(ls "$SERVICE/src") == one.2 && $(plugn trigger scheduler-app-status native demo) == "1 true" ]]
  [[ $(curl -sf "http://127.0.0.1:$(<"$DOKKU_ROOT/demo/PORT.web.1")/health") ]]
}

@test "scale, restart, stop and start, as Dokku's ps calls them" {
  push "$WEB"$'\nworker: faultapp --tick 5\n' one
  ps scale demo web=2 worker=1
  [[ $status == 0 && $(plugn trigger scheduler-app-status native demo) == "3 true" ]] || { echo "$output"; false; }
  [[ -f $DOKKU_ROOT/demo/PORT.web.2 ]]
  local worker web
  worker=$(status | jq 'select(.process_type == "worker") | .pid')
  web=$(status | jq 'select(.process_type == "web") | .pid' | sort | tr '\n' ' ')
  ps restart demo web
  [[ $status == 0 && $(status | jq 'select(.process_type == "worker") | .pid') == "$worker" ]]
  # shellcheck disable=SC2086  # Words.
  gone $web
  ps scale demo web=1
  [[ $status == 0 && ! -e $DOKKU_ROOT/demo/PORT.web.2 && $(plugn trigger scheduler-app-status native demo) == "2 true" ]]
  web=$(pids)
  ps stop demo
  [[ $status == 0 && $(plugn trigger scheduler-app-status native demo) == "2 false" ]] || { echo "$output"; false; }
  # shellcheck disable=SC2086  # Words.
  gone $web
  ps start demo
  [[ $status == 0 && $(plugn trigger scheduler-app-status native demo) == "2 true" ]] || { echo "$output"; false; }
}

@test "it is silent for the schedulers of others" {
  local trigger
  for trigger in deploy stop app-status is-deployed inspect logs post-delete retire enter run; do
    run --separate-stderr plugn trigger "scheduler-$trigger" docker-local demo latest true true true 5
    [[ $status == 0 && -z $output && -z $stderr ]] || { echo "$trigger: $output $stderr"; false; }
    run --separate-stderr ps-lifecycle --from-trigger "scheduler-$trigger" k3s demo latest true true true 5
    [[ $status == 0 && -z $output && -z $stderr ]] || { echo "$trigger: $output $stderr"; false; }
  done
  put config/scheduler/demo/selected docker-local
  mkdir "$TREE"
  run --separate-stderr plugn trigger post-extract demo "$TREE" abc
  [[ $status == 0 && -z $output && ! -e $SERVICE/src ]]
}

@test "no scheduler's trigger calls a scheduler's trigger" {
  local trigger
  for trigger in deploy stop app-status is-deployed inspect logs post-delete retire enter run; do
    other "scheduler-$trigger" true
  done
  push "$WEB"$'\n' one
  [[ $(grep -c ^scheduler- "$CALLS") == 1 ]]
  rm "$CALLS"
  for trigger in stop app-status is-deployed inspect retire; do
    plugn trigger "scheduler-$trigger" native demo >/dev/null
  done
  plugn trigger scheduler-logs native demo web false true 5
  plugn trigger scheduler-post-delete native demo latest
  run ! plugn trigger scheduler-is-deployed native demo
  [[ $(grep -c ^scheduler- "$CALLS") == 8 ]] || { cat "$CALLS"; false; }
}

@test "what is not whole, was never pushed, or is an image is refused" {
  run plugn trigger scheduler-deploy native demo latest ""
  [[ $status == 1 && $output == *"was not pushed since its scheduler is native: dokku ps:rebuild demo"* ]]
  run plugn trigger post-extract demo "$BATS_TEST_TMPDIR/none" abc
  [[ $status == 1 && $output == *"$BATS_TEST_TMPDIR/none"* ]]
  run plugn trigger scheduler-deploy native demo latest ""
  [[ $status == 1 && $output == *"is not whole"*"push again"* && ! -e $SERVICE/spec2.json ]] || { echo "$output"; false; }
  put config/git/demo/source-image nginx:1
  # shellcheck disable=SC2030  # For the rest of this test.
  export DOKKU_PID=102
  mkdir "$TREE"
  run plugn trigger post-extract demo "$TREE" abc
  [[ $status == 1 && $output == *"image nginx:1"*"cannot run natively"* ]]
  run plugn trigger scheduler-deploy native demo latest ""
  [[ $status == 1 && $output == *"image nginx:1"*"scheduler:set demo selected docker-local"* ]]
  [[ -z $(ls "$SERVICE/src") ]]
}

@test "what the checks of a native app ask for and nobody does is named, and what other plugins do is not" {
  put data/app-json/demo/app.json '{"cron": [{"command": "x", "schedule": "@daily"}], "healthchecks": {"web": [{"type": "startup", "uptime": 1}, {"uptime": 2}]}}'
  push "$WEB"$'\n' one
  [[ $status == 0 && $output == *" !     app.json: healthchecks.web[1] is not heeded here: "* && $output != *"healthchecks.web[0]"* && $output != *cron* ]] || { echo "$output"; false; }
}

@test "a build that is under way keeps what it brought, whatever runs beside it" {
  push "$WEB"$'\n' one
  DOKKU_PID=200 mkdir "$TREE"
  printf '%s\n' "$WEB" >"$TREE/Procfile"
  DOKKU_PID=200 plugn trigger post-extract demo "$TREE" two
  plugn trigger scheduler-retire native demo
  ps restart demo
  [[ $status == 0 && $(names "$SERVICE/src") == "one two " ]] || { ls "$SERVICE/src"; echo "$output"; false; }
  DOKKU_PID=200 plugn trigger scheduler-deploy native demo latest ""
  [[ $(ls "$SERVICE/src") == two ]]
}

@test "inspect shows no secret, and there is no container to enter" {
  mkdir -p "$DOKKU_LIB_ROOT/config/demo"
  put config/demo/ENV $'export SECRET_KEY="hunter2-hunter2"\n'
  push "$WEB"$'\n' one
  run plugn trigger scheduler-inspect native demo
  [[ $status == 0 && $output == *'"SECRET_KEY=XXXXXX"'* && $output != *hunter2* ]]
  [[ $(jq -r '.[0].State.Running' <<<"$output") == true ]]
  ps inspect demo
  [[ $status == 0 && $output == *'"SECRET_KEY=XXXXXX"'* && $output != *hunter2* ]]
  run plugn trigger scheduler-enter native demo web
  [[ $status == 1 && $output == " !     App demo runs natively: there is no container to enter" ]]
  run plugn trigger scheduler-run native demo 0 -- bash
  [[ $status == 1 && ${#lines[@]} == 1 && $output == *"no container to run a command in" ]]
}

@test "an app that is destroyed leaves no process and no file" {
  push "$WEB"$'\n' one
  local before
  before=$(pids)
  plugn trigger scheduler-stop native demo true
  rm -r "$DOKKU_ROOT/demo"
  plugn trigger scheduler-post-delete native demo latest
  [[ ! -e $SERVICE ]]
  # shellcheck disable=SC2086  # Words.
  gone $before
}

@test "an app that is renamed ends, although its scheduler went with its new name" {
  push "$WEB"$'\n' one
  local before
  before=$(pids)
  rm -r "$DOKKU_LIB_ROOT/config/scheduler/demo"
  plugn trigger scheduler-stop docker-local demo true
  plugn trigger scheduler-post-delete docker-local demo latest
  plugn trigger post-delete demo latest
  [[ ! -e $SERVICE ]]
  # shellcheck disable=SC2086  # Words.
  gone $before
}

@test "an app that changes its scheduler does not run twice" {
  # shellcheck disable=SC2016  # The hook's own variables.
  other scheduler-stop '[[ $1 != docker-local ]] || echo "stopped with $(ls "$DOKKU_ROOT/demo" | tr "\n" " ")" >>"'"$CALLS"'"'
  other proxy-build-config true
  local file
  for file in CONTAINER.web.1 IP.web.1 PORT.web.1 CONTAINER.web.2 IP.web.2 PORT.web.2; do
    echo old >"$DOKKU_ROOT/demo/$file"
  done
  push "$WEB"$'\n' one
  [[ $status == 0 && $output == *"demo runs natively now: ending its containers"* ]] || { echo "$output"; false; }
  [[ $(<"$CALLS") == *$'scheduler-stop docker-local demo true\nstopped with CONTAINER.web.1 CONTAINER.web.2 IP.web.1 PORT.web.1'* ]] || { cat "$CALLS"; false; }
  [[ $(names "$DOKKU_ROOT/demo") == "IP.web.1 PORT.web.1 " ]]
  local before
  before=$(pids)
  put config/scheduler/demo/selected docker-local
  echo new >"$DOKKU_ROOT/demo/CONTAINER.worker.1"
  echo new >"$DOKKU_ROOT/demo/IP.worker.1"
  run plugn trigger core-post-deploy demo "" "" latest
  [[ $status == 0 && $output == *"no longer runs natively"* && ! -e $SERVICE ]] || { echo "$output"; false; }
  [[ $(names "$DOKKU_ROOT/demo") == "CONTAINER.worker.1 IP.worker.1 " && $(<"$CALLS") == *"proxy-build-config demo" ]]
  # shellcheck disable=SC2086  # Words.
  gone $before
}

@test "a native app needs no builder, but for what Dokku runs in its image" {
  push "$WEB"$'\n' one
  other post-release-builder true
  DOKKU_PID=300 plugn trigger builder-build dockerfile demo "$TREE"
  [[ -z $(docker image ls -q dokku/demo) ]] || skip "somebody's image dokku/demo is here"
  DOKKU_PID=300 plugn trigger builder-build null demo "$TREE"
  local size
  size=$(docker image inspect -f '{{.Size}} {{index .Config.Labels "com.dokku.builder-type"}}' dokku/demo:latest)
  docker image rm dokku/demo:latest >/dev/null
  [[ $size == "0 null" ]]
  DOKKU_PID=300 plugn trigger builder-release null demo latest
  [[ $(grep -c 'post-release-builder null demo dokku/demo:latest' "$CALLS") == 1 ]]
  put data/ps/demo/Procfile "$WEB"$'\nrelease: migrate\n'
  DOKKU_PID=301 run plugn trigger builder-build null demo "$TREE"
  [[ $status == 1 && $output == *"has a release process"*"builder:set demo selected dockerfile" ]] || { echo "$output"; false; }
  put config/scheduler/demo/selected docker-local
  DOKKU_PID=302 run plugn trigger builder-build null demo "$TREE"
  [[ $status == 0 && -z $output && -z $(docker image ls -q dokku/demo) ]]
}

@test "a push that is killed anywhere is made good by the next" {
  put config/ps/demo/scale $'web=2\n'
  put config/ps/demo/stop-timeout-seconds 1
  local round job
  for round in 1 2 3 4 5 6; do
    push "web: faultapp --say round-$round --listen"$'\n' "rev$round" 3>&- &
    job=$!
    sleep "0.$((round * 11 % 7))"
    # What is killed is this world's alone.
    local pid
    grep -lsz "^DOKKU_LIB_ROOT=$DOKKU_LIB_ROOT\$" /proc/[0-9]*/environ | cut -d / -f 3 | while read -r pid; do
      [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") != "ps-lifecycle --from-trigger"* ]] || kill -9 "$pid" || true
    done
    wait "$job" || true
    # shellcheck disable=SC2031  # Other tests change their own.
    DOKKU_PID=$((DOKKU_PID + 100))
    push "web: faultapp --say round-$round --listen"$'\n' "rev$round"
    [[ $status == 0 && $(plugn trigger scheduler-app-status native demo) == "2 true" ]] || { echo "round $round: $output"; false; }
    [[ $(ps-lifecycle processes demo --json | jq -r .command) == "faultapp --say round-$round --listen"$'\n'"faultapp --say round-$round --listen" ]] ||
      { echo "round $round:"; ps-lifecycle processes demo; false; }
    [[ $(names "$SERVICE/src" | wc -w) == 1 ]]
  done
}
