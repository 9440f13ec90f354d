#!/usr/bin/env bats
# The plugin tags, as Dokku's front-end runs it: with the real programs and a real engine.

# shellcheck disable=SC2154  # bats sets stderr.
load world
bats_require_minimum_version 1.5.0

setup_file() { find_programs; }

setup() {
  docker image inspect formation-test/busybox:latest >/dev/null 2>&1 || skip "no engine has formation-test/busybox:latest: scripts/setup makes it"
  make_world_with_plugn tags
  APP=tags-$$-$BATS_TEST_NUMBER
  mkdir "$DOKKU_ROOT/$APP"
  put "config/common/$APP/deployed" true
  put "config/scheduler/$APP/selected" docker-local
  hook_of other deploy true
  docker tag formation-test/busybox:latest "dokku/$APP:latest"
}

teardown() {
  [[ ${APP:-} ]] || return 0
  docker ps -aq --filter "label=com.dokku.app-name=$APP" | xargs -r docker rm -f >/dev/null
  docker images --format '{{.Repository}}:{{.Tag}}' "dokku/$APP" | xargs -r docker image rm >/dev/null
}

# What is said on stderr is compared without its first blank, which bats leaves out. `dokku tags` and `dokku tags:<name>`, as the front-end runs them; stderr lies beside.
tags() {
  local name=$1
  run --separate-stderr timeout 60 "$PLUGIN_PATH/enabled/tags/subcommands/$name" "tags:$name" "${@:2}"
}

container() {
  docker create --label "com.dokku.app-name=$APP" --label com.dokku.container-type=deploy "$1" true >"$DOKKU_ROOT/$APP/CONTAINER.web.1"
}

@test "tags are created, listed, deployed and destroyed in the words of Dokku" {
  container "dokku/$APP:latest"
  tags create "$APP" v1
  [[ $status == 0 && $output == "=====> Added v1 tag to dokku/$APP" ]]
  tags default "$APP"
  [[ $status == 0 && ${lines[0]} == "=====> Image tags for dokku/$APP" ]]
  [[ $(tr -s ' ' <<<"${lines[1]}") == "REPOSITORY TAG IMAGE ID CREATED SIZE" && ${#lines[@]} == 4 ]]
  [[ $(tr -s ' ' <<<"${lines[2]}") == "dokku/$APP latest "* && $(tr -s ' ' <<<"${lines[3]}") == "dokku/$APP v1 "* ]]
  tags deploy "$APP" v1
  [[ $status == 0 && $(<"$CALLS") == "deploy $APP v1" ]]
  tags destroy "$APP" v1
  [[ $status == 0 && $output == "Untagged: dokku/$APP:v1" ]]
}

@test "latest, a tag in use, and what is not there are refused in one line" {
  docker tag formation-test/busybox:latest "dokku/$APP:v1"
  container "dokku/$APP:v1"
  tags destroy "$APP" latest
  [[ $status == 1 && $stderr == "!     dokku/$APP:latest is not removed: the next deploy uses it" ]]
  tags destroy "$APP" v1
  [[ $status == 1 && $stderr == "!     dokku/$APP:v1 is not removed: "* ]]
  tags deploy "$APP" v9
  [[ $status == 1 && $stderr == "!     dokku/$APP has no tag v9: it has latest, v1" && ! -e $CALLS ]]
  local name
  for name in default create deploy destroy; do
    if [[ $name == default ]]; then tags default nope; else tags "$name" nope v1; fi
    [[ $status == 20 && $stderr == "!     App nope does not exist" ]]
    tags "$name"
    [[ $status == 1 && $stderr == "!     Please specify an app to run the command on" ]]
  done
  tags create "$APP"
  [[ $status == 1 && $stderr == "!     Please specify a tag to run the command on" ]]
}

@test "what is never deployed has nothing to tag, and the help is there" {
  tags create "$APP" v1
  [[ $status == 1 && $stderr == "!     App $APP has not been deployed" ]]
  run "$PLUGIN_PATH/enabled/tags/commands" tags:help
  [[ $status == 0 && $output == "Usage: dokku tags[:COMMAND]"* ]]
  run "$PLUGIN_PATH/enabled/tags/commands" apps:list
  [[ $status == 10 ]]
}
