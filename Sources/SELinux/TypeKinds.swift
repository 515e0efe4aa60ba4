/// What the types of the common policies (refpolicy, Fedora's, container-selinux) are for, as far as a judgement needs it.
enum TypeKinds {
  /// A domain of containers: confined, and kept apart by categories.
  static func isContainer(_ type: String) -> Bool {
    containers.contains(type) || type.hasSuffix("_container_t") || type.hasSuffix(".process")
      || type.hasPrefix("svirt")
  }

  private static let containers: Set<String> = [
    "container_t", "container_init_t", "container_userns_t", "container_kvm_t",
    "container_logreader_t", "container_logwriter_t", "container_device_t",
    "container_device_plugin_t", "container_device_plugin_init_t", "container_net_t",
    "onionkeeper_container_t", "openshift_t", "openshift_app_t",
  ]

  /// A virtual machine's domain, which is no container's: `svirt_t`, `svirt_qemu_net_t`, `svirt_tcg_t`.
  static func isMachine(_ type: String) -> Bool {
    type.hasPrefix("svirt_") && !type.hasPrefix("svirt_lxc") && !type.hasPrefix("svirt_sandbox")
      && !type.hasPrefix("svirt_kvm_net")
  }

  /// What the kernel shows below /proc, /sys and the like.
  static func isKernels(_ type: String) -> Bool {
    type.hasPrefix("sysctl_") || type.hasPrefix("proc_")
      || [
        "sysfs_t", "cgroup_t", "debugfs_t", "tracefs_t", "usermodehelper_t", "efivarfs_t", "bpf_t",
      ].contains(type)
  }

  /// Container engines and what they run.
  static let engines: Set<String> = [
    "container_runtime_t", "container_engine_t", "container_engine_system_t", "dockerd_t",
    "dockerd_user_t", "docker_t", "podman_t", "podman_user_t", "containerd_t", "conmon_t",
    "conmon_user_t", "crio_t", "kubelet_t", "rootlessd_t", "rootlesskit_t",
  ]

  /// Whom a container's file belongs to, its categories say.
  static let containerFiles: Set<String> = [
    "container_file_t", "container_ro_file_t", "svirt_sandbox_file_t", "container_share_t",
    "svirt_lxc_file_t", "sandbox_file_t",
  ]

  /// The engine's own sockets: who may use one is root on the host.
  static let engineSockets: Set<String> = [
    "container_var_run_t", "docker_var_run_t", "container_runtime_var_run_t", "container_runtime_t",
    "dockerd_t", "docker_t", "podman_t", "containerd_t", "crio_t",
  ]

  /// Sessions of people.
  static let users: Set<String> = [
    "user_t", "staff_t", "sysadm_t", "guest_t", "xguest_t", "unconfined_t", "secadm_t",
    "auditadm_t",
    "dbadm_t", "webadm_t", "logadm_t",
  ]

  /// Domains that no rule holds back, and that no service has to speak to.
  static let free: Set<String> = [
    "unconfined_t", "unconfined_service_t", "spc_t", "sysadm_t", "rpm_t", "rpm_script_t", "dpkg_t",
    "dpkg_script_t",
  ]

  /// Domains that may do nearly everything: what reaches into one, leaves its confinement.
  static let unconfined: Set<String> = [
    "unconfined_t", "unconfined_service_t", "spc_t", "init_t", "initrc_t", "kernel_t", "rpm_t",
    "rpm_script_t", "dpkg_t", "dpkg_script_t", "sysadm_t", "bootloader_t", "setfiles_t",
    "semanage_t", "load_policy_t", "systemd_machined_t", "virtd_t",
  ]

  static let homes: Set<String> = [
    "user_home_t", "user_home_dir_t", "home_root_t", "admin_home_t", "unconfined_home_t",
    "staff_home_t", "ssh_home_t", "gpg_secret_t", "config_home_t", "cache_home_t", "data_home_t",
  ]

  static let temporary: Set<String> = ["tmp_t", "user_tmp_t", "tmpfs_t", "user_tmpfs_t"]

  /// Parts of the system, which no service writes.
  static func isSystem(_ type: String) -> Bool {
    system.contains(type) || type.hasSuffix("_exec_t") || type.hasSuffix("_etc_t")
      || type.hasSuffix("_conf_t") || type.hasSuffix("_config_t") || type.hasSuffix("_unit_file_t")
  }

  private static let system: Set<String> = [
    "etc_t", "etc_runtime_t", "usr_t", "lib_t", "bin_t", "sbin_t", "textrel_shlib_t", "ld_so_t",
    "ld_so_cache_t", "boot_t", "root_t", "modules_object_t", "modules_conf_t", "src_t", "cert_t",
    "locale_t", "man_t", "shell_exec_t", "cron_spool_t", "user_cron_spool_t", "system_cron_spool_t",
    "passwd_file_t", "net_conf_t", "hostname_etc_t", "systemd_unit_file_t",
  ]

  /// Places without a service of their own, and those of others' services that people choose.
  static let generic: Set<String> = [
    "default_t", "var_t", "var_lib_t", "var_run_t", "var_log_t", "var_spool_t", "mnt_t", "file_t",
    "unlabeled_t", "httpd_sys_content_t", "httpd_sys_rw_content_t", "public_content_t",
    "public_content_rw_t", "samba_share_t", "usr_t", "etc_t", "root_t", "removable_t",
    "device_t", "srv_t", "data_t", "iso9660_t",
  ]

  /// File systems that hold no labels: one for the whole mount.
  static let unlabelledFileSystems: Set<String> = [
    "nfs_t", "cifs_t", "fusefs_t", "dosfs_t", "vboxsf_t", "glusterd_t", "glusterfs_t", "cephfs_t",
    "ntfs_t", "removable_t", "iso9660_t", "9p_t", "ecryptfs_t", "virtiofs_t", "ceph_t",
  ]

  /// Ports that no service has claimed.
  static let freePorts: Set<String> = [
    "unreserved_port_t", "port_t", "ephemeral_port_t", "hi_reserved_port_t", "reserved_port_t",
  ]
}
