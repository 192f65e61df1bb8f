#!/bin/sh
# The first process of a machine: makes the machine's own mounts, then reaps
# what its daemons leave. When it dies, the kernel ends all that runs there.
#
#   first_process.sh NAME DATA READY FORWARD [CONTROLLER...]
#
# NAME     the machine's name
# DATA     the folder that stands for its disk
# READY    the file that says that the machine is up
# FORWARD  whether it forwards packets, 0 or 1
set -eu
name=$1 data=$2 ready=$3 forward=$4
shift 4
hostname "$name"
mount -t proc proc /proc
mount -t sysfs sysfs /sys
if [ $# -gt 0 ]; then
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for controller in "$@"; do
    options=$controller
    # The kubelet asks for a folder for every line of /proc/self/cgroup.
    [ "$controller" != systemd ] || options=none,name=systemd
    mkdir "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$controller"
  done
else
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # A group that gives controllers on mustn't hold processes itself.
  mkdir -p /sys/fs/cgroup/machine
  echo 1 >/sys/fs/cgroup/machine/cgroup.procs
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
  done
fi
mount -t bpf bpf /sys/fs/bpf || true
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns
# The kubelet insists on these values, and would set them for all machines.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 \
  kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 \
  kernel/keys/root_maxbytes=25000000; do
  path=/run/sysctl-$(echo "${setting%=*}" | tr / -)
  echo "${setting#*=}" >"$path"
  mount --bind "$path" "/proc/sys/${setting%=*}"
done
# Its own disk, where daemons and pods write; the rest is this machine's.
for folder in /var/lib /var/log /opt; do
  mkdir -p "$data$folder"
  mount --bind "$data$folder" "$folder"
done
mkdir -p "$data/etc" "$data/etc.work"
mount -t overlay -o "lowerdir=/etc,upperdir=$data/etc,workdir=$data/etc.work" \
  overlay /etc
mkdir -p /etc/cni/net.d /opt/cni/bin /var/lib/kubelet /var/lib/containerd \
  /var/lib/cni /var/lib/terway /var/log/pods /var/log/containers
mount --make-rshared /
ip link set lo up
echo "$forward" >/proc/sys/net/ipv4/ip_forward
echo "$forward" >/proc/sys/net/ipv6/conf/all/forwarding
touch "$ready"
trap 'exit 0' TERM INT
while :; do
  sleep 3600 &
  wait $!
done
