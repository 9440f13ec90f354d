#!/usr/bin/env bats
# The plugin scheduler-formation for apps of the scheduler swarm, beside the ps plugin in a Dokku-shaped tree: a plugn of our own, a plugin
# registry that does what Dokku's does after a build, a real swarm of one node, and Debian's docker-registry on that node's loopback.

bats_require_minimum_version 1.5.0

load world

# The cluster of these tests, and what the node's engine calls the registry.
NAME=hooks
REGISTRY=127.0.0.1:5000

obstacle() {
  local program
  [[ $EUID == 0 ]] || { echo "no root: a swarm of its own needs namespaces"; return; }
  for program in docker dockerd ip unshare; do
    command -v "$program" >/dev/null || { echo "no $program: scripts/setup installs it"; return; }
  done
  [[ $REGISTRY_PROGRAM ]] || echo "no docker-registry: scripts/setup unpacks one"
}

setup_file() {
  find_programs
  local unpacked=${FORMATION_SETUP_STATE:-${XDG_STATE_HOME:-/var/lib}/formation-setup}/consumers/usr/bin/docker-registry
  REGISTRY_PROGRAM=$(command -v docker-registry || { [[ ! -x $unpacked ]] || echo "$unpacked"; })
  OBSTACLE=$(obstacle)
  export OBSTACLE
  [[ -z $OBSTACLE ]] || return 0
  "$REPO/tests/swarm/cluster" --name "$NAME" down 3>&-
  "$REPO/tests/swarm/cluster" --name "$NAME" --heartbeat 20s up 1 3>&- </dev/null
  DOCKER_HOST=$("$REPO/tests/swarm/cluster" --name "$NAME" host 1)
  export DOCKER_HOST
  printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' \
    "$BATS_FILE_TMPDIR/storage" "$REGISTRY" >"$BATS_FILE_TMPDIR/registry.yml"
  ip netns exec "fswarm-$NAME-1" "$REGISTRY_PROGRAM" serve "$BATS_FILE_TMPDIR/registry.yml" >/dev/null 2>&1 </dev/null 3>&- &
  echo $! >"$BATS_FILE_TMPDIR/registry.pid"
}

teardown_file() {
  [[ -z $OBSTACLE ]] || return 0
  kill "$(<"$BATS_FILE_TMPDIR/registry.pid")" || true
  "$REPO/tests/swarm/cluster" --name "$NAME" down 3>&-
}

setup() {
  [[ -z $OBSTACLE ]] || skip "$OBSTACLE"
  make_native_world
  TREE=$BATS_TEST_TMPDIR/tree
  CONTEXT=$BATS_TEST_TMPDIR/context
  mkdir "$CONTEXT"
  mkdir "$DOKKU_ROOT/demo"
  put config/scheduler/demo/selected swarm
  put config/ps/demo/scale $'web=2\n'
  put config/ps/demo/stop-timeout-seconds 2
  put data/app-json/demo/app.json '{"healthchecks": {"web": [{"type": "startup", "uptime": 1}], "worker": [{"type": "startup", "uptime": 1}]}}'
  # shellcheck disable=SC2016  # The hooks' own variables.
  other release-and-deploy 'plugn trigger scheduler-deploy swarm "$1" "$2" ""'
  # shellcheck disable=SC2016
  hook_of common deploy 'plugn trigger scheduler-deploy swarm "$1" "$2" "$3"'
}

teardown() {
  [[ -n $OBSTACLE ]] || plugn trigger scheduler-post-delete swarm demo latest
}

other() { hook_of other "$@"; }

# Dokku's plugin registry with push-on-release: after a build it pushes the image under a new number, and names it from then on.
with_registry() {
  # shellcheck disable=SC2016  # The hooks' own variables.
  hook_of registry post-release-builder 'n=$DOKKU_PID; docker tag "$3" '"$REGISTRY"'/dokku/demo:$n; docker push -q '"$REGISTRY"'/dokku/demo:$n >&2
printf %s "$n" >"$DOKKU_LIB_ROOT/tag"'
  hook_of registry deployed-app-repository "echo $REGISTRY/"
  # shellcheck disable=SC2016
  hook_of registry deployed-app-image-tag 'cat "$DOKKU_LIB_ROOT/tag"'
}

# A push of this Procfile (`-`: of none): the triggers of Dokku in their order, and a build, in a deploy of its own. $2: more of the Dockerfile.
push() {
  DOKKU_PID=$((DOKKU_PID + 1))
  mkdir -p "$TREE"
  [[ $1 == - ]] || printf '%s' "$1" >"$TREE/Procfile"
  plugn trigger core-post-extract demo "$TREE" abc
  plugn trigger post-extract demo "$TREE" abc
  [[ $1 == - ]] || mv "$TREE/Procfile" "$CONTEXT"
  rm -rf "$TREE"
  printf 'FROM formation-test/busybox:latest\nLABEL build=%s\n%s' "$DOKKU_PID" "${2:-}" >"$CONTEXT/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -q -t dokku/demo:latest "$CONTEXT" >/dev/null
  plugn trigger post-release-builder dockerfile demo dokku/demo:latest
  run timeout 120 plugn trigger scheduler-deploy swarm demo latest ""
}

# `dokku ps:<name> <word>…`, as the front-end runs it, in a deploy of its own.
ps() {
  DOKKU_PID=$((DOKKU_PID + 1))
  run timeout 120 "$PLUGIN_PATH/enabled/ps/subcommands/$1" "ps:$1" "${@:2}"
}

image_of() { docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' "demo_$1"; }

answer() { plugn trigger scheduler-app-status swarm demo; }

# shellcheck disable=SC2016  # For the app's shell.
WEB='web: echo "i am $DYNO"; exec sleep 600'

@test "what was pushed runs from the registry that Dokku's plugin names, and a release that fails leaves it alone" {
  with_registry
  push "$WEB"$'\nrelease: exit 1\n'
  [[ $status == 0 && $output == *"-----> Deploying web (count=2)"*"-----> Running post-deploy"* ]] || { echo "$output"; false; }
  [[ $(image_of web) == "$REGISTRY/dokku/demo@sha256:"* ]] || { image_of web; false; }
  [[ $(answer) == "2 true" ]]
  plugn trigger scheduler-is-deployed swarm demo
  [[ $(plugn trigger scheduler-logs swarm demo web false true 10 | sort) == $'i am web.1\ni am web.2' ]]
  [[ $(plugn trigger scheduler-logs swarm demo "" false false 10) == *"app[web.1]:"*" i am web.1"* ]]
  [[ $(<"$DOKKU_LIB_ROOT/data/ps/demo/Procfile") == "$WEB"* && $(<"$DOKKU_LIB_ROOT/config/ps/demo/restore") == true ]]
  local before
  before=$(image_of web)
  push $'web: echo no database; exit 3\n'
  [[ $status == 1 && $output == *"exit status 3"*"no database"* ]] || { echo "$output"; false; }
  [[ $(image_of web) == "$before" && $(answer) == "2 true" ]]
  push "$WEB"$'\n'
  [[ $status == 0 && $(image_of web) != "$before" ]] || { echo "$output"; false; }
}

@test "without a registry the image of this machine runs" {
  push "$WEB"$'\n'
  [[ $status == 0 && $(image_of web) == "$(docker image inspect -f '{{.Id}}' dokku/demo:latest)" ]] || { echo "$output"; image_of web; false; }
}

@test "scale, restart, stop and start, as Dokku's ps calls them" {
  push "$WEB"$'\nworker: exec sleep 600\n'
  ps scale demo web=1 worker=2
  [[ $status == 0 && $(answer) == "3 true" ]] || { echo "$output"; false; }
  local web worker
  web=$(docker ps -q --filter label=com.dokku.process-type=web)
  worker=$(docker ps -q --filter label=com.dokku.process-type=worker | sort)
  ps restart demo web
  [[ $status == 0 && $(docker ps -q --filter label=com.dokku.process-type=web) != "$web" ]] || { echo "$output"; false; }
  [[ $(docker ps -q --filter label=com.dokku.process-type=worker | sort) == "$worker" ]] || { echo "$worker"; docker ps -a --filter label=com.dokku.process-type=worker; false; }
  ps stop demo
  [[ $status == 0 && $(answer) == "3 false" && -z $(docker ps -q --filter label=com.dokku.app-name=demo) ]] || { echo "$output"; false; }
  ps start demo
  [[ $status == 0 && $(answer) == "3 true" ]] || { echo "$output"; false; }
  ps report demo --running
  [[ $output == true ]]
}

@test "a command beside an instance and one of its own, and an inspect without secrets" {
  mkdir -p "$DOKKU_LIB_ROOT/config/demo"
  put config/demo/ENV $'export SECRET_KEY="hunter2-hunter2"\n'
  push "$WEB"$'\n'
  # shellcheck disable=SC2016  # For the shell in the container.
  run plugn trigger scheduler-enter swarm demo web.2 -- sh -c 'echo "$DYNO"; exit 4' </dev/null
  [[ $status == 4 && $output == web.2 ]] || { echo "$output"; false; }
  # shellcheck disable=SC2016
  run plugn trigger scheduler-run swarm demo 1 EXTRA=a=b -- sh -c 'echo "$EXTRA ${SECRET_KEY%-*}"; exit 5' </dev/null
  [[ $status == 5 && $output == "a=b hunter2" ]] || { echo "$output"; false; }
  run plugn trigger scheduler-inspect swarm demo
  [[ $status == 0 && $output == *SECRET_KEY=XXXXXX* && $output != *hunter2* ]] || { echo "$output"; false; }
}

# The files of an image, from the contract of its builder, and its Dockerfile, for `push`.
script_of_image() { cat >"$CONTEXT/$1" && chmod 755 "$CONTEXT/$1"; }

@test "an image of herokuish: /start runs each type, /exec what is run beside, and start-cmd in the place of /start" {
  with_registry
  # `/start TYPE` runs the line of the Procfile that is in the image, `/exec` any command, both with what the buildpacks have exported.
  script_of_image start <<'END'
#!/bin/sh
export OF_BUILDPACK=yes
cd /app
echo "start $1"
exec sh -c "$(sed -n "s/^$1: *//p" Procfile)"
END
  script_of_image exec <<'END'
#!/bin/sh
export OF_BUILDPACK=yes
exec "$@"
END
  local labels='LABEL com.dokku.app-name=demo com.dokku.builder-type=herokuish com.dokku.image-stage=release org.label-schema.vendor=dokku'
  script_of_image bash <<'END'
#!/bin/sh
exec sh "$@"
END
  local dockerfile=$labels$'\nENV USER=herokuishuser\nCOPY Procfile /app/\nCOPY start exec /\nCOPY bash /bin/\n'
  put config/ps/demo/scale $'web=1\nworker=1\n'
  # shellcheck disable=SC2016  # For the app's shell.
  local procfile=$'web: echo "web $OF_BUILDPACK $PORT"; exec sleep 600\nworker: echo "worker $OF_BUILDPACK"; exec sleep 600\n'
  push "$procfile" "$dockerfile"
  [[ $status == 0 && $(answer) == "2 true" ]] || { echo "$output"; false; }
  [[ $(plugn trigger scheduler-logs swarm demo web false true 10) == $'start web\nweb yes 5000' ]] || { plugn trigger scheduler-logs swarm demo "" false true 10; false; }
  [[ $(plugn trigger scheduler-logs swarm demo worker false true 10) == $'start worker\nworker yes' ]]
  # shellcheck disable=SC2016  # For the shell in the container.
  run plugn trigger scheduler-run swarm demo 0 -- sh -c 'echo "beside $OF_BUILDPACK"' </dev/null
  [[ $status == 0 && $output == "beside yes" ]] || { echo "$output"; false; }
  # shellcheck disable=SC2016
  run plugn trigger scheduler-enter swarm demo web.1 -- sh -c 'echo "in $OF_BUILDPACK"' </dev/null
  [[ $status == 0 && $output == "in yes" ]] || { echo "$output"; false; }
  # shellcheck disable=SC2016
  run plugn trigger scheduler-enter swarm demo web.1 <<<'echo "in a shell $OF_BUILDPACK"'
  [[ $status == 0 && $output == "in a shell yes" ]] || { echo "$output"; false; }
  put config/ps/demo/start-cmd 'echo own; exec sleep 600'
  push "$procfile" "$dockerfile"
  [[ $status == 0 && $(plugn trigger scheduler-logs swarm demo web false true 10) == own ]] || { echo "$output"; false; }
}

@test "an image of Cloud Native Buildpacks: its launcher runs the command of the Procfile, and its ENTRYPOINT a type without one" {
  with_registry
  # ENTRYPOINT starts the default process with its arguments; `launcher` runs one argument as a script and words behind `--` as they are, with what
  # the buildpacks have exported.
  script_of_image web <<'END'
#!/bin/sh
echo "default process: $*"
exec sleep 600
END
  script_of_image launcher <<'END'
#!/bin/sh
export OF_BUILDPACK=yes
[ "$1" != -- ] || { shift; exec "$@"; }
[ $# = 1 ] || exit 9
exec sh -c "$1"
END
  local labels='LABEL com.dokku.app-name=demo com.dokku.builder-type=pack com.dokku.image-stage=build io.buildpacks.stack.id=test'
  local dockerfile=$labels$'\nENV PATH=/cnb/lifecycle:/bin\nCOPY web /cnb/process/\nCOPY launcher /cnb/lifecycle/\nENTRYPOINT ["/cnb/process/web"]\nCMD []\n'
  put config/ps/demo/scale $'web=1\n'
  # shellcheck disable=SC2016  # For the app's shell.
  push $'web: echo "web $OF_BUILDPACK $PORT" && exec sleep 600\n' "$dockerfile"
  [[ $status == 0 && $(answer) == "1 true" ]] || { echo "$output"; false; }
  [[ $(plugn trigger scheduler-logs swarm demo web false true 10) == "web yes 5000" ]] || { plugn trigger scheduler-logs swarm demo "" false true 10; false; }
  # shellcheck disable=SC2016  # For the shell in the container.
  run plugn trigger scheduler-run swarm demo 0 -- sh -c 'echo "beside $OF_BUILDPACK"' </dev/null
  [[ $status == 0 && $output == "beside yes" ]] || { echo "$output"; false; }
  rm "$DOKKU_LIB_ROOT/data/ps/demo/Procfile"
  push - "$dockerfile"
  [[ $status == 0 && $(plugn trigger scheduler-logs swarm demo web false true 10) == "default process: " ]] || { echo "$output"; plugn trigger scheduler-logs swarm demo "" false true 10; false; }
}

@test "an app that changes its scheduler or is destroyed leaves nothing on the swarm" {
  push "$WEB"$'\n'
  put config/scheduler/demo/selected docker-local
  run plugn trigger core-post-deploy demo "" "" latest
  [[ $status == 0 && $output == *"demo no longer runs on a swarm"* && -z $(docker service ls -q) ]] || { echo "$output"; false; }
  put config/scheduler/demo/selected swarm
  push "$WEB"$'\n'
  [[ $status == 0 && -n $(docker service ls -q) ]]
  rm -r "$DOKKU_ROOT/demo"
  plugn trigger post-delete demo latest
  [[ -z $(docker service ls -q) && ! -e $DOKKU_LIB_ROOT/data/scheduler-swarm/demo ]]
  run ! plugn trigger scheduler-is-deployed swarm demo
}
