# What the tests of hooks share: where the programs are, and a world that is shaped like Dokku's.
# shellcheck shell=bash disable=SC2034  # Variables are for the tests.

# Where this checkout is, and the programs: those that FORMATION_BIN names, else those of the debug build.
find_programs() {
  REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  if [[ -z ${FORMATION_BIN:-} ]]; then
    FORMATION_BIN=$(cargo metadata --no-deps --format-version 1 --manifest-path "$REPO/Cargo.toml" | jq -r .target_directory)/debug
  fi
  export REPO FORMATION_BIN
}

# Two roots of the test's own, with the ps plugin, and with those of its name in $1, …
make_world() {
  export DOKKU_ROOT=$BATS_TEST_TMPDIR/home DOKKU_LIB_ROOT=$BATS_TEST_TMPDIR/lib
  export PLUGIN_PATH=$DOKKU_LIB_ROOT/plugins DOKKU_PID=4242
  export PATH=$FORMATION_BIN:$PATH
  DOKKU_SYSTEM_USER=$(id -un)
  export DOKKU_SYSTEM_USER
  unset FORMATION_LOCK DOKKU_QUIET_OUTPUT DOKKU_BUILD_ID SKIP_REBUILD
  PLUGIN=$PLUGIN_PATH/enabled/ps
  CALLS=$BATS_TEST_TMPDIR/calls
  mkdir -p "$PLUGIN_PATH/enabled" "$DOKKU_ROOT"
  local plugin
  for plugin in ps "$@"; do ln -s "$REPO/triggers/$plugin" "$PLUGIN_PATH/enabled/$plugin"; done
}

# The same with a plugn, so that triggers reach the hooks of every plugin.
make_world_with_plugn() {
  make_world "$@"
  export DOKKU_NOT_IMPLEMENTED_EXIT=10 PATH=$REPO/tests/triggers/bin:$PATH
}

# The same for native apps: a deploy of Dokku's leads to the scheduler, and what it ends with to what is recorded.
make_native_world() {
  make_world_with_plugn scheduler-formation
  # shellcheck disable=SC2016  # The hooks' own variables.
  hook_of common deploy 'plugn trigger scheduler-deploy native "$1" "$2" "$3"'
  # shellcheck disable=SC2016
  hook_of common core-post-deploy 'mkdir -p "$DOKKU_LIB_ROOT/config/common/$1"; printf true >"$DOKKU_LIB_ROOT/config/common/$1/deployed"'
}

# Writes the file $1 below $DOKKU_LIB_ROOT.
put() {
  mkdir -p "$(dirname "$DOKKU_LIB_ROOT/$1")"
  printf '%s' "$2" >"$DOKKU_LIB_ROOT/$1"
}

# The hook $2 of the plugin $1: writes down its call, then does what follows, a piece of shell.
hook_of() {
  local hook=$PLUGIN_PATH/enabled/$1/$2
  mkdir -p "${hook%/*}"
  # shellcheck disable=SC2016  # The hook's own variables.
  printf '#!/usr/bin/env bash\nset -eo pipefail\necho "${0##*/} $*" >>%q\n%s\n' "$CALLS" "${*:3}" >"$hook"
  chmod 755 "$hook"
}
