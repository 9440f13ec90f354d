#!/usr/bin/env bats
# The ps plugin in a Dokku-shaped tree: a plugn of our own, other plugins whose hooks write down how they were called, the
# real programs, and where a container is needed a real engine.

load world

setup_file() { find_programs; }

setup() {
  make_world_with_plugn
  mkdir "$DOKKU_ROOT"/{demo,idle}
  put data/ps/demo/Procfile $'web: serve\nworker: work\n'
  put config/common/demo/deployed true
  put config/ps/demo/scale $'web=1\nworker=0\n'
  put config/ps/demo/scale.old ""
  local trigger
  for trigger in deploy release-and-deploy receive-app scheduler-stop scheduler-retire scheduler-run-retire pre-restore \
    pre-start proxy-build-config proxy-clear-config scheduler-pre-restore deployed-app-image-tag; do
    other "$trigger" true
  done
}

other() { hook_of other "$@"; }

# `dokku ps:<name> <word>…`, as the front-end runs it.
ps() {
  local name=$1
  run timeout 60 "$PLUGIN/subcommands/$name" "ps:$name" "${@:2}"
}

@test "plugn runs the triggers, in order, and its failure is ours" {
  ps restart demo web
  [[ $status == 0 && $(<"$CALLS") == $'deployed-app-image-tag demo\ndeploy demo latest web' ]]
  other deploy 'exit 6'
  ps restart demo
  [[ $status == 6 ]]
  rm "$CALLS"
  ps stop demo
  [[ $status == 0 && $output == "-----> Stopping demo" && $(<"$CALLS") == "scheduler-stop docker-local demo" ]]
  [[ $(<"$DOKKU_LIB_ROOT/config/ps/demo/restore") == false ]]
}

@test "a whole deploy goes from hook to hook" {
  local tree=$BATS_TEST_TMPDIR/tree
  mkdir "$tree"
  printf 'web: new\r\nclock: tick\r\n' >"$tree/Procfile"
  plugn trigger core-post-extract demo "$tree" abc123
  [[ $(plugn trigger procfile-get-command demo clock) == tick ]]
  plugn trigger post-release-builder dockerfile demo dokku/demo:latest
  [[ $(plugn trigger ps-current-scale demo) == $'clock=0\nweb=1\nworker=0' ]]
  [[ $(printf ' --before' | plugn trigger docker-args-process-deploy demo dockerfile latest web 1) == " --before --restart=on-failure:10" ]]
  plugn trigger core-post-deploy demo "" "" latest
  [[ $(<"$DOKKU_LIB_ROOT/data/ps/demo/Procfile") == $'web: new\nclock: tick' ]]
  [[ ! -e $DOKKU_LIB_ROOT/config/ps/demo/scale.old && $(<"$DOKKU_LIB_ROOT/config/ps/demo/restore") == true ]]
  [[ $(plugn trigger ps-current-scale demo) == $'clock=0\nweb=1' ]]
}

@test "ps is the help, and ps <app> the processes in its containers" {
  run "$PLUGIN/subcommands/default" ps
  [[ $status == 0 && $output == "Usage: dokku ps[:COMMAND]"* ]]
  run "$PLUGIN/subcommands/default" ps nope
  [[ $status == 20 && $output == " !     App nope does not exist" ]]
  run "$PLUGIN/subcommands/default" ps idle
  [[ $status == 1 ]]
  local id
  id=$(docker run --detach --network=none --label=dokku --label=com.dokku.container-type=deploy \
    formation-test/busybox:latest sh -c 'sleep 601; true') || skip "no engine: scripts/setup starts one"
  echo "$id" >"$DOKKU_ROOT/demo/CONTAINER.web.1"
  # The shell may not have started it yet.
  # shellcheck disable=SC2016  # The variables are that shell's.
  timeout 60 sh -c 'until docker top "$0" | grep -q " sleep 601$"; do sleep 0.1; done' "$id"
  run "$PLUGIN/subcommands/default" ps demo
  local json
  json=$("$FORMATION_BIN/ps-lifecycle" processes demo --json)
  docker stop --time=0 "$id" >/dev/null
  local stopped
  stopped=$("$PLUGIN/subcommands/default" ps demo)
  docker rm --force "$id" >/dev/null
  [[ $status == 0 && ${lines[0]} == "PROCESS "*COMMAND ]]
  [[ ${lines[1]} == web.1*"sh -c sleep 601; true" && ${lines[2]} == web.1*"sleep 601" ]]
  [[ $(jq -r 'select(.command == "sleep 601") | "\(.app) \(.process_type).\(.index) \(.pid > 1) \(.memory_bytes >= 0)"' <<<"$json") == "demo web.1 true true" ]]
  [[ $(wc -l <<<"$stopped") == 1 ]]
}

@test "commands of long ago name those of today, unless a plugin has them" {
  run "$PLUGIN/commands" deploy:all
  [[ $status == 1 && $output == *"use ps:rebuild --all" ]]
  run "$PLUGIN/commands" tags:deploy demo v1
  [[ $status == 1 && $output == *"use git:from-image"* ]]
  mkdir "$PLUGIN_PATH/enabled/tags"
  run "$PLUGIN/commands" tags demo
  [[ $status == 10 && -z $output ]]
  local name
  for name in stopall restartall rebuildall; do
    ps "$name"
    [[ $status == 0 && $output == *"old spelling: use ps:${name%all} --all"* ]] || { echo "$name: $output"; false; }
  done
  ps set demo stop-timeout 45
  [[ $status == 0 && $output == *"stop-timeout-seconds"* && $(<"$DOKKU_LIB_ROOT/config/ps/demo/stop-timeout-seconds") == 45 ]]
}

@test "nothing that a caller or a file says reaches a shell" {
  local canary=$BATS_TEST_TMPDIR/canary words word
  # shellcheck disable=SC2016  # That they are not expanded is the point.
  words=('$(touch CANARY)' '`touch CANARY`' "';touch CANARY;'" '";touch CANARY;"' $'x\ntouch CANARY' '-x;touch CANARY' '|touch CANARY' '&&touch CANARY')
  cd "$BATS_TEST_TMPDIR"
  for word in "${words[@]}"; do
    word=${word//CANARY/"$canary"}
    put data/ps/demo/Procfile "web: run $word"$'\n'
    put config/ps/demo/restart-policy "$word"
    put config/ps/demo/start-cmd "$word"
    put config/ps/demo/procfile-path "$word"
    put config/ps/demo/scale "$word=1"$'\nweb=1\n'
    local verb
    for verb in inspect rebuild report restart restore retire scale set start stop; do
      ps "$verb" "$word" "$word" "$word"
      ps "$verb" demo "$word" "$word"
      ps "$verb" "--$word"
    done
    run "$PLUGIN/subcommands/default" ps "$word"
    local hook
    for hook in app-restart core-post-deploy core-post-extract docker-args-process-deploy post-app-clone post-app-clone-setup \
      post-app-rename post-app-rename-setup post-create post-delete post-release-builder post-stop procfile-exists \
      procfile-get-command ps-can-scale ps-current-scale ps-get-property ps-set-scale report; do
      run timeout 60 "$PLUGIN/$hook" "$word" "$word" "$word" </dev/null
      [[ $hook == post-delete || $hook == post-app-rename* ]] || run timeout 60 "$PLUGIN/$hook" demo "$word" "$word" </dev/null
    done
    run "$PLUGIN/commands" "$word"
    [[ ! -e $canary ]] || { echo "$word ran"; false; }
  done
}

# A deploy by git, as Dokku's shell does it: at once or not at all, under Dokku's own lock.
git_deploy() {
  local lock=$DOKKU_LIB_ROOT/data/apps/demo/.deploy.lock tree=$BATS_TEST_TMPDIR/tree.$BASHPID
  mkdir -p "$tree" "${lock%/*}"
  printf 'web: one\nworker: two\n' >"$tree/Procfile"
  export DOKKU_BUILD_ID=build-$BASHPID DOKKU_PID=$BASHPID
  exec 200>"$lock"
  if ! flock -n 200; then return 0; fi
  echo "$DOKKU_BUILD_ID" >"$lock"
  plugn trigger core-post-extract demo "$tree" abc && plugn trigger post-release-builder dockerfile demo dokku/demo:latest &&
    plugn trigger deploy demo latest && plugn trigger core-post-deploy demo "" "" latest
  local ended=$?
  flock -u 200 && rm -f "$lock"
  return "$ended"
}

@test "scale, restart, a deploy by git and retire at once on one app take turns, and nothing is lost" {
  local rounds=20 round ended scale failed=0 began=$SECONDS
  [[ -z ${FORMATION_TEST_LONG:-} ]] || rounds=200
  # Whoever finds the directory there was let in while another was.
  # shellcheck disable=SC2016  # The hook's own variables.
  other deploy 'mkdir "$DOKKU_ROOT/busy" && plugn trigger ps-current-scale demo >/dev/null && rmdir "$DOKKU_ROOT/busy"'
  # shellcheck disable=SC2016  # The hook's own variables.
  other scheduler-retire '[[ -z $2 ]] || { mkdir "$DOKKU_ROOT/busy" && rmdir "$DOKKU_ROOT/busy"; }'
  for ((round = 0; round < rounds; round++)); do
    local -a pids=()
    timeout 60 "$PLUGIN/subcommands/scale" ps:scale demo "web=$((round % 3 + 1))" &>"$BATS_TEST_TMPDIR/scale" & pids+=($!)
    timeout 60 "$PLUGIN/subcommands/restart" ps:restart demo &>"$BATS_TEST_TMPDIR/restart" & pids+=($!)
    git_deploy &>"$BATS_TEST_TMPDIR/git" & pids+=($!)
    timeout 60 "$PLUGIN/subcommands/retire" ps:retire demo &>"$BATS_TEST_TMPDIR/retire" & pids+=($!)
    local pid
    for pid in "${pids[@]}"; do
      ended=0
      wait "$pid" || ended=$?
      # 75: a deploy was under way. Nothing else may keep one from its turn.
      [[ $ended == 0 || $ended == 75 ]] || { failed=$((failed + 1)); echo "round $round: status $ended"; tail "$BATS_TEST_TMPDIR"/{scale,restart,git,retire}; }
    done
    [[ ! -e $DOKKU_ROOT/busy ]] || { echo "round $round: somebody was let in beside another"; false; }
    scale=$(plugn trigger ps-current-scale demo)
    [[ $scale == web=[123]$'\nworker=0' ]] || { echo "$scale"; false; }
  done
  [[ $failed == 0 && ! -e $DOKKU_LIB_ROOT/data/apps/demo/.deploy.lock ]]
  ! compgen -G "$DOKKU_LIB_ROOT/data/ps/demo/Procfile.*" || false
  echo "$rounds rounds in $((SECONDS - began)) s" >&3
}
