#!/usr/bin/env bats
# scripts/install-dokku-plugin on a system that lies in a directory and has a ps plugin shaped like Dokku's own.

setup_file() {
  REPO=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  if [[ -z ${FORMATION_BIN:-} ]]; then
    FORMATION_BIN=$(cargo metadata --no-deps --format-version 1 --manifest-path "$REPO/Cargo.toml" | jq -r .target_directory)/debug
  fi
  # Without what only a debugger reads: a copy for each test is dear.
  mkdir "$BATS_FILE_TMPDIR/bin"
  local program
  for program in procfile-util ps-inspect-sanitize ps-lifecycle ps-report ps-scale ps-set ps-supervise; do
    strip -o "$BATS_FILE_TMPDIR/bin/$program" "$FORMATION_BIN/$program"
  done
  FORMATION_BIN=$BATS_FILE_TMPDIR/bin
  export REPO FORMATION_BIN
}

setup() {
  ROOT=$BATS_TEST_TMPDIR/root
  LIB=$ROOT/var/lib/dokku
  PLUGIN=$LIB/core-plugins/available/ps
  mkdir -p "$LIB"/{config,data,plugins/{available,enabled},core-plugins/enabled} "$ROOT/home/dokku/demo" "$ROOT/usr/local/bin"
  echo "0.38.27" >"$LIB/STABLE_VERSION"
  core_plugin 0.38.27
  ln -s "$PLUGIN" "$LIB/plugins/available/ps"
  ln -s "$LIB/plugins/available/ps" "$LIB/plugins/enabled/ps"
  echo "the tool that Dokku brought" >"$ROOT/usr/local/bin/procfile-util"
  chmod 700 "$ROOT/usr/local/bin/procfile-util"
}

# A core plugin: one program, and links to it by the names of hooks and subcommands.
core_plugin() {
  mkdir -p "$PLUGIN/subcommands"
  printf '[plugin]\ndescription = "dokku core ps plugin"\nversion = "%s"\n[plugin.config]\n' "$1" >"$PLUGIN/plugin.toml"
  local name
  for name in triggers commands subcommands/subcommands; do
    rm -f "$PLUGIN/$name"
    printf '#!/bin/sh\necho core %s "$@"\n' "$1" >"$PLUGIN/$name"
    chmod 755 "$PLUGIN/$name"
  done
  printf 'ps_restore() { :; }\n' >"$PLUGIN/functions"
  chmod 755 "$PLUGIN/functions"
  for name in app-restart core-post-deploy install post-stop ps-current-scale report; do ln -sfn triggers "$PLUGIN/$name"; done
  for name in inspect restart scale; do ln -sfn subcommands "$PLUGIN/subcommands/$name"; done
  touch -d 2020-02-02 "$PLUGIN/commands"
}

install_plugin() { run "$REPO/scripts/install-dokku-plugin" --root "$ROOT" "$@"; }

# Everything about every file below a directory: mode, owner, kind, time, name, where a link leads, content.
picture() { (cd "$1" && find . -printf '%m %u %g %y %T@ %p %l\n' | sort && find . -type f -exec sha256sum {} + | sort); }

@test "the plugin comes, answers, and Dokku's own comes back byte for byte" {
  local before
  before=$(picture "$PLUGIN" | sed 's/^755 \([^ ]* [^ ]*\) d [^ ]* \. /\1 /')
  local tool
  tool=$(picture "$ROOT/usr/local/bin" | grep procfile-util)
  install_plugin
  [[ $status == 0 ]] || { echo "$output"; false; }
  [[ $(DOKKU_ROOT=$ROOT/home/dokku DOKKU_LIB_ROOT=$LIB PLUGIN_PATH=$LIB/plugins DOKKU_SYSTEM_USER=dokku \
    "$LIB/plugins/enabled/ps/subcommands/scale" ps:scale demo) == *"proctype: qty"* ]]
  [[ -d $LIB/data/ps/demo && -d $LIB/config/ps ]]
  [[ $(readlink "$ROOT/usr/local/bin/procfile-util") == /var/lib/dokku/core-plugins/available/ps/bin/procfile-util ]]
  [[ -x $PLUGIN/bin/ps-lifecycle && -f $PLUGIN/functions ]]
  install_plugin --check
  [[ $status == 0 && $output == *"in place and whole, for Dokku 0.38.27" ]]
  install_plugin --uninstall
  [[ $status == 0 ]]
  diff <(echo "$before") <(picture "$PLUGIN" | sed 's/^755 \([^ ]* [^ ]*\) d [^ ]* \. /\1 /')
  [[ $(picture "$ROOT/usr/local/bin" | grep procfile-util) == "$tool" ]]
  [[ $(ls "$ROOT/usr/local/bin") == procfile-util && ! -e $LIB/formation ]]
  install_plugin --uninstall
  [[ $status == 0 && $output == *"nothing is installed"* ]]
}

@test "installing again changes nothing that counts, and repairs what was changed" {
  install_plugin
  local first
  first=$(cd "$PLUGIN" && find . -type f -exec sha256sum {} + | sort)
  install_plugin
  [[ $status == 0 ]]
  [[ $(cd "$PLUGIN" && find . -type f -exec sha256sum {} + | sort) == "$first" ]]
  rm "$PLUGIN/post-stop"
  echo "# changed" >>"$PLUGIN/commands"
  install_plugin --check
  [[ $status == 1 && $output == *"./commands"* && $output == *"./post-stop"* ]]
  install_plugin
  [[ $status == 0 ]]
  install_plugin --check
  [[ $status == 0 ]]
  install_plugin --uninstall
  [[ $(tail -n 1 "$PLUGIN/triggers") == 'echo core 0.38.27 "$@"' && ! -e $PLUGIN/bin ]]
}

@test "an upgrade of Dokku that overwrites the plugin is told, survived, and taken back to" {
  install_plugin
  core_plugin 0.38.28
  echo 0.38.28 >"$LIB/STABLE_VERSION"
  install_plugin --check
  [[ $status == 1 && $output == *"an upgrade of Dokku has overwritten"* ]]
  install_plugin
  [[ $status == 0 ]] || { echo "$output"; false; }
  install_plugin --check
  [[ $status == 0 ]]
  install_plugin --uninstall
  [[ $(tail -n 1 "$PLUGIN/triggers") == 'echo core 0.38.28 "$@"' ]]
  [[ ! -e $PLUGIN/bin && ! -e $PLUGIN/help && ! -e $PLUGIN/subcommands/default ]]
  [[ $(<"$PLUGIN/functions") == 'ps_restore() { :; }' ]]
  [[ $(readlink "$PLUGIN/post-stop") == triggers ]]
}

@test "a check looks at every link, every mode and the plugin that is kept aside" {
  install_plugin
  local program
  for program in procfile-util ps-inspect-sanitize ps-lifecycle ps-report ps-scale ps-set ps-supervise; do
    rm "$ROOT/usr/local/bin/$program"
    install_plugin --check
    [[ $status == 1 && $output == *"/usr/local/bin/$program does not lead to the plugin"* ]] || { echo "$program: $output"; false; }
    echo "the tool of another package" >"$ROOT/usr/local/bin/procfile-util.new"
    mv "$ROOT/usr/local/bin/procfile-util.new" "$ROOT/usr/local/bin/procfile-util"
    install_plugin --check
    [[ $status == 1 && $output == *"/usr/local/bin/procfile-util does not lead to the plugin"* ]] || { echo "$program: $output"; false; }
    install_plugin
    install_plugin --check
    [[ $status == 0 ]] || { echo "$program: $output"; false; }
  done
  chmod 644 "$PLUGIN/post-stop"
  install_plugin --check
  [[ $status == 1 && $output == *"./post-stop"* ]]
  install_plugin
  mv "$LIB/formation/core-ps" "$LIB/formation/elsewhere"
  install_plugin --check
  [[ $status == 1 && $output == *"core-ps is gone"* ]]
  mv "$LIB/formation/elsewhere" "$LIB/formation/core-ps"
  install_plugin --uninstall
  [[ $status == 0 && $(<"$ROOT/usr/local/bin/procfile-util") == "the tool of another package" ]]
}

@test "an overwritten plugin can be uninstalled at once" {
  install_plugin
  core_plugin 0.38.28
  install_plugin --uninstall
  [[ $status == 0 && $(tail -n 1 "$PLUGIN/triggers") == 'echo core 0.38.28 "$@"' && ! -e $PLUGIN/bin && ! -e $LIB/formation ]]
  [[ -f $PLUGIN/functions ]]
}

@test "any 0.38 is known, however it is written; others need --any-version" {
  local version
  for version in 0.38.0 0.38.27 v0.38.27-3-gdeadbee 1723456789:0.38.5 '~0.38.27 (2026-08-21T16:18Z)' 0.38.27+local; do
    echo "$version" >"$LIB/STABLE_VERSION"
    install_plugin
    [[ $status == 0 ]] || { echo "$version: $output"; false; }
    install_plugin --uninstall
  done
  for version in 0.37.9 0.39.0 1.0.38 0.380.1 nonsense; do
    rm -f "$LIB/STABLE_VERSION"
    echo "$version" >"$LIB/STABLE_VERSION"
    [[ $version != nonsense ]] || sed -i 's/0.38.27/none/' "$PLUGIN/plugin.toml"
    install_plugin
    [[ $status == 1 && $output == *"--any-version"* && -L $PLUGIN/post-stop ]] || { echo "$version: $output"; false; }
  done
  install_plugin --any-version
  [[ $status == 0 ]]
}

@test "a Dokku whose plugin has a hook that ours has not is refused by name" {
  ln -s triggers "$PLUGIN/post-teleport"
  install_plugin
  [[ $status == 1 && $output == *"post-teleport"* && -L $PLUGIN/post-stop ]]
}

@test "a hook that does not answer brings the core plugin back" {
  local broken=$BATS_TEST_TMPDIR/bin
  mkdir "$broken"
  cp "$FORMATION_BIN"/{procfile-util,ps-inspect-sanitize,ps-lifecycle,ps-report,ps-set,ps-supervise} "$broken"
  # shellcheck disable=SC2016  # The script's own.
  printf '#!/bin/sh\n[ "$1" = --version ] || exit 126\n' >"$broken/ps-scale"
  chmod 755 "$broken/ps-scale"
  FORMATION_BIN=$broken install_plugin
  [[ $status == 1 && $output == *"does not answer (status 126)"* && $output == *"the core plugin is back"* ]]
  [[ $(tail -n 1 "$PLUGIN/triggers") == 'echo core 0.38.27 "$@"' && ! -e $PLUGIN/bin ]]
  [[ $(<"$ROOT/usr/local/bin/procfile-util") == "the tool that Dokku brought" ]]
}

@test "an install that died between two renames is taken up again" {
  install_plugin
  mkdir -p "$LIB/formation"
  mv "$PLUGIN" "$LIB/formation/old"
  install_plugin
  [[ $status == 0 ]] || { echo "$output"; false; }
  install_plugin --uninstall
  [[ $status == 0 && -L $PLUGIN/post-stop && ! -e $PLUGIN/bin ]]
}

@test "programs of somebody else's stay where they are" {
  echo mine >"$ROOT/usr/local/bin/ps-report"
  install_plugin
  [[ $status == 0 && $output == *"ps-report is somebody else's"* && $(<"$ROOT/usr/local/bin/ps-report") == mine ]]
  install_plugin --check
  [[ $status == 0 ]]
  install_plugin --uninstall
  [[ $(<"$ROOT/usr/local/bin/ps-report") == mine ]]
}

@test "without a Dokku, and with words that are none, it says so" {
  run "$REPO/scripts/install-dokku-plugin" --root "$BATS_TEST_TMPDIR"
  [[ $status == 1 && $output == *"there is no Dokku here"* ]]
  install_plugin --nonsense
  [[ $status == 2 ]]
  install_plugin --check
  [[ $status == 1 && $output == *"not installed" ]]
}

@test "the scheduler comes where it is asked for, stays up to date, and leaves with the rest" {
  install_plugin
  [[ $status == 0 && ! -e $LIB/plugins/available/scheduler-formation ]]
  install_plugin --with-scheduler
  [[ $status == 0 ]] || { echo "$output"; false; }
  local place=$LIB/plugins/available/scheduler-formation
  [[ -x $LIB/plugins/enabled/scheduler-formation/scheduler-deploy && -x $place/bin/ps-lifecycle ]]
  echo changed >>"$place/scheduler-stop"
  install_plugin --check
  [[ $status == 1 && $output == *"scheduler"*"install-dokku-plugin again" ]]
  install_plugin
  install_plugin --check
  [[ $status == 0 ]] || { echo "$output"; false; }
  mkdir -p "$LIB/config/scheduler/demo"
  printf native >"$LIB/config/scheduler/demo/selected"
  install_plugin --uninstall
  [[ $status == 1 && $output == *"have the scheduler native"*": demo; first"* && -d $place && -x $PLUGIN/bin/ps-lifecycle ]]
  rm "$LIB/config/scheduler/demo/selected"
  install_plugin --uninstall
  [[ $status == 0 && ! -e $place && ! -L $LIB/plugins/enabled/scheduler-formation ]]
}
