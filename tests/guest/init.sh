#!/bin/sh
# The first process of a guest. Its root is the host's, read-only; DIR, given
# on the kernel's command line, is shared with the host; the disk is its own.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
read -r line </proc/cmdline
for word in $line; do
  case $word in
  guest_dir=*) DIR=${word#*=} ;;
  esac
done
# What the test says: where its own files are, and what the guest needs.
. "$DIR/environment"
mount -t tmpfs tmpfs /tmp
mkdir -p /run/netns /run/lock /run/terway "$DIR"
mount -t hostfs -o "$DIR" none "$DIR"
# A newcomer's Deno may be below the host's /tmp, which can't be seen here.
GUEST_DENO_DIR=${GUEST_DENO%/*}
case $GUEST_DENO_DIR in
/tmp/*)
  mkdir -p "$GUEST_DENO_DIR"
  mount -t hostfs -o "$GUEST_DENO_DIR" none "$GUEST_DENO_DIR"
  ;;
esac
mount -t ext4 /dev/ubda "$GUEST_DISK_AT" || exit 1
# The host has no modules of this kernel where modprobe looks.
mkdir -p /run/modules/lib/modules
ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/modules/lib/modules/"
printf '#!/bin/sh\nexec modprobe -d /run/modules "$@"\n' >/run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
for module in $GUEST_MODULES; do /run/modprobe "$module"; done
stty -F /dev/ttyS0 raw -echo
# Nobody may be left to end it.
(sleep "$GUEST_LIFE_S" && echo o >/proc/sysrq-trigger) &
"$GUEST_DENO" run -A --no-config --no-check --quiet "$DIR/agent.js" \
  </dev/ttyS0 >/dev/ttyS0
echo o >/proc/sysrq-trigger
sleep 9
