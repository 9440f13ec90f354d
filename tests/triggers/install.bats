#!/usr/bin/env bats
# scripts/install-dokku-plugin on a system that lies in a directory and has a ps plugin shaped like Dokku's own.

load world

setup_file() {
  find_programs
  # Without what only a debugger reads: a copy for each test is dear.
  mkdir "$BATS_FILE_TMPDIR/bin"
  local program
  for program in procfile-util ps-explain ps-inspect-sanitize ps-lifecycle ps-logs ps-notify ps-report ps-scale ps-set ps-supervise; do
    strip -o "$BATS_FILE_TMPDIR/bin/$program" "$FORMATION_BIN/$program"
  done
  export FORMATION_BIN=$BATS_FILE_TMPDIR/bin
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

# The same without times, which a directory changes with every file that comes and goes.
timeless() { local place; for place in "$@"; do picture "$place" | sed -E 's/^([0-9]+ [^ ]+ [^ ]+ [a-z]) [0-9.]+ /\1 /' | sort; done; }

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
  [[ ! -L $ROOT/usr/local/bin/procfile-util ]]
  cmp "$ROOT/usr/local/bin/procfile-util" "$FORMATION_BIN/procfile-util"
  [[ $(readlink "$ROOT/usr/local/bin/ps-scale") == /var/lib/dokku/formation/bin/ps-scale ]]
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
  for program in procfile-util ps-explain ps-inspect-sanitize ps-lifecycle ps-logs ps-notify ps-report ps-scale ps-set ps-supervise; do
    rm "$ROOT/usr/local/bin/$program"
  done
  install_plugin --check
  [[ $status == 1 ]]
  for program in procfile-util ps-explain ps-inspect-sanitize ps-lifecycle ps-logs ps-notify ps-report ps-scale ps-set ps-supervise; do
    [[ $output == *"/usr/local/bin/$program does not lead to the plugin"* ]] || { echo "$program: $output"; false; }
  done
  echo "the tool of another package" >"$ROOT/usr/local/bin/procfile-util.new"
  mv "$ROOT/usr/local/bin/procfile-util.new" "$ROOT/usr/local/bin/procfile-util"
  install_plugin --check
  [[ $status == 1 && $output == *"/usr/local/bin/procfile-util does not lead to the plugin"* ]] || { echo "$output"; false; }
  install_plugin
  install_plugin --check
  [[ $status == 0 ]] || { echo "$output"; false; }
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

# What Dokku's installation from source does to the files, in its order: its tool is downloaded into the file that is there,
# core-plugins is emptied, plugin after plugin is copied, and links that lead nowhere are removed meanwhile.
upgrade_from_source() {
  printf '#!/bin/sh\necho the tool of %s\n' "$1" >"$ROOT/usr/local/bin/procfile-util"
  chmod +x "$ROOT/usr/local/bin/procfile-util"
  rm -rf "$LIB/core-plugins"/* "$LIB/plugins/available/ps"
  mkdir -p "$LIB/core-plugins"/{available,enabled}
  find "$LIB" -xtype l -delete
  core_plugin "$1"
  ln -s "$PLUGIN" "$LIB/plugins/available/ps"
  ln -sfn "$LIB/plugins/available/ps" "$LIB/plugins/enabled/ps"
  find "$LIB" -xtype l -delete
  echo "$1" >"$LIB/STABLE_VERSION"
}

# What Dokku's package does: files come in the place of those of their names, others stay; the tool is a package of its own.
upgrade_by_package() {
  core_plugin "$1"
  printf '#!/bin/sh\necho the tool of %s\n' "$1" >"$ROOT/usr/local/bin/procfile-util.dpkg-new"
  chmod 755 "$ROOT/usr/local/bin/procfile-util.dpkg-new"
  mv "$ROOT/usr/local/bin/procfile-util.dpkg-new" "$ROOT/usr/local/bin/procfile-util"
  find -L "$LIB/core-plugins" "$LIB/plugins" -type l -delete
  echo "$1" >"$LIB/STABLE_VERSION"
}

# `dokku plugin:update` leaves plugins alone that are no git repository, and gives all of them to Dokku's user.
update_plugins() {
  [[ ! -d $LIB/plugins/available/scheduler-formation/.git ]]
  chown -R "$(id -un):$(id -gn)" "$LIB"/{core-plugins,plugins}/{available,enabled}
}

# What a push needs: the tool that Dokku calls, and the programs of the scheduler, whosever the ps plugin is.
can_deploy() {
  local tool
  tool=$("$ROOT/usr/local/bin/procfile-util" --version)
  [[ $tool == *"$1"* ]] || { echo "$tool"; false; }
  "$LIB/plugins/enabled/scheduler-formation/bin/ps-lifecycle" --version
  [[ -x $LIB/plugins/enabled/ps/commands && -x $LIB/plugins/enabled/ps/post-stop ]]
}

@test "an upgrade from source, by package or of plugins leaves a Dokku that deploys, and installing again repairs it" {
  local way
  for way in upgrade_from_source upgrade_by_package; do
    install_plugin --with-scheduler
    [[ $status == 0 ]] || { echo "$way: $output"; false; }
    can_deploy "$("$FORMATION_BIN/procfile-util" --version)"
    update_plugins
    install_plugin --check
    [[ $status == 0 ]] || { echo "plugin:update: $output"; false; }
    "$way" 0.38.28
    can_deploy "the tool of 0.38.28"
    cmp "$LIB/formation/bin/procfile-util" "$FORMATION_BIN/procfile-util"
    install_plugin --check
    [[ $status == 1 && $output == *"an upgrade of Dokku has overwritten"* ]] || { echo "$way: $output"; false; }
    [[ $output == *"/usr/local/bin/procfile-util does not lead to the plugin"*"run scripts/install-dokku-plugin again" ]]
    update_plugins
    install_plugin
    [[ $status == 0 ]] || { echo "$way: $output"; false; }
    can_deploy "$("$FORMATION_BIN/procfile-util" --version)"
    install_plugin --check
    [[ $status == 0 && $output == *"for Dokku 0.38.28" ]] || { echo "$way: $output"; false; }
    install_plugin --uninstall
    [[ $(tail -n 1 "$PLUGIN/triggers") == 'echo core 0.38.28 "$@"' && ! -e $PLUGIN/bin && ! -e $LIB/formation ]]
    [[ $("$ROOT/usr/local/bin/procfile-util") == "the tool of 0.38.28" ]]
  done
}

@test "an upgrade between two installs of which the first linked the programs into the plugin is repaired" {
  install_plugin --with-scheduler
  # As earlier versions of the installer had it.
  rm "$PLUGIN/bin" "$LIB/plugins/available/scheduler-formation/bin"
  mv "$LIB/formation/bin" "$PLUGIN/bin"
  ln -sfn ../../../core-plugins/available/ps/bin "$LIB/plugins/available/scheduler-formation/bin"
  local program
  for program in "$PLUGIN"/bin/*; do
    ln -sfn "/var/lib/dokku/core-plugins/available/ps/bin/${program##*/}" "$ROOT/usr/local/bin/${program##*/}"
  done
  # The upgrade wrote through the link, then took the plugin away.
  rm -rf "$PLUGIN"
  core_plugin 0.38.28
  find "$LIB" -xtype l -delete
  install_plugin --check
  [[ $status == 1 && $output == *"the programs in"*"the scheduler in"* ]] || { echo "$output"; false; }
  install_plugin
  [[ $status == 0 ]] || { echo "$output"; false; }
  can_deploy "$("$FORMATION_BIN/procfile-util" --version)"
  install_plugin --check
  [[ $status == 0 ]] || { echo "$output"; false; }
  install_plugin --uninstall
  [[ $(<"$ROOT/usr/local/bin/procfile-util") == "the tool that Dokku brought" ]]
}

@test "a tool that was a link is one again, also where it led nowhere for a while" {
  ln -sfn ../lib/dokku/procfile-util "$ROOT/usr/local/bin/procfile-util"
  install_plugin
  [[ $status == 0 && ! -L $ROOT/usr/local/bin/procfile-util ]]
  find "$LIB" -xtype l -delete
  install_plugin --uninstall
  [[ $(readlink "$ROOT/usr/local/bin/procfile-util") == ../lib/dokku/procfile-util ]]
}

@test "what the programs kept for themselves goes with them, and nothing else does" {
  mkdir -p "$LIB/config/ps" "$LIB/data/ps/demo" "$LIB/data/storage/demo"
  echo "what is there before" >"$LIB/data/storage/demo/file"
  # Somebody's own directory of that name.
  mkdir -m 700 "$LIB/data/storage/demo/.stage" "$ROOT/home/dokku/demo/.stage"
  echo mine >"$ROOT/home/dokku/demo/.stage/mine"
  local before
  before=$(timeless "$LIB/config" "$LIB/data" "$ROOT/home")
  install_plugin --with-scheduler
  export DOKKU_ROOT=$ROOT/home/dokku DOKKU_LIB_ROOT=$LIB PLUGIN_PATH=$LIB/plugins DOKKU_SYSTEM_USER=dokku
  "$LIB/plugins/enabled/ps/subcommands/set" ps:set demo restart-policy always
  "$LIB/plugins/enabled/ps/subcommands/scale" ps:scale --skip-deploy demo web=2
  "$LIB/plugins/enabled/ps/post-create" gone
  mkdir "$ROOT/home/dokku/gone"
  "$LIB/plugins/enabled/ps/subcommands/scale" ps:scale --skip-deploy gone web=2
  [[ -d $LIB/config/ps/demo/.stage && -f $LIB/data/formation/gone.lock ]]
  # As Dokku does it: the app's directory goes last.
  "$LIB/plugins/enabled/ps/post-delete" gone latest
  rmdir "$ROOT/home/dokku/gone"
  [[ ! -e $LIB/data/formation/gone.lock && -f $LIB/data/formation/demo.lock ]] || { ls "$LIB/data/formation"; false; }
  "$LIB/plugins/enabled/ps/subcommands/set" ps:set demo restart-policy
  install_plugin --uninstall
  [[ $status == 0 && -z $(find "$LIB" -name .stage -perm 700 -not -path '*/storage/*') && ! -e $LIB/data/formation ]]
  # What the app itself changed.
  rm -r "$LIB/config/ps/demo"
  diff <(echo "$before") <(timeless "$LIB/config" "$LIB/data" "$ROOT/home")
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
  # With programs that are not there an install ends right after it has accepted the version.
  for version in 0.38.0 0.38.27 v0.38.27-3-gdeadbee 1723456789:0.38.5 '~0.38.27 (2026-08-21T16:18Z)' 0.38.27+local; do
    echo "$version" >"$LIB/STABLE_VERSION"
    FORMATION_BIN=$BATS_TEST_TMPDIR install_plugin
    [[ $status == 1 && $output == *"FORMATION_BIN names the directory"* ]] || { echo "$version: $output"; false; }
  done
  install_plugin
  [[ $status == 0 ]] || { echo "$output"; false; }
  install_plugin --uninstall
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
  cp "$FORMATION_BIN"/{procfile-util,ps-explain,ps-inspect-sanitize,ps-lifecycle,ps-logs,ps-notify,ps-report,ps-set,ps-supervise} "$broken"
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
  local selected
  for selected in native swarm; do
    printf %s "$selected" >"$LIB/config/scheduler/demo/selected"
    install_plugin --uninstall
    [[ $status == 1 && $output == *"have the scheduler native or swarm"*": demo; first"* && -d $place && -x $PLUGIN/bin/ps-lifecycle ]]
  done
  rm "$LIB/config/scheduler/demo/selected"
  install_plugin --uninstall
  [[ $status == 0 && ! -e $place && ! -L $LIB/plugins/enabled/scheduler-formation ]]
}
