/// What must not be granted because a log shows that somebody wanted it: with it a compromised service leaves its
/// confinement, or the host loses its own.
public enum Danger {
  /// - Returns: Why not, as the rest of a sentence after "it …"; `nil` where it is no such thing.
  public static func of(
    source: String, target: String, targetClass: String, permission: String
  ) -> String? {
    if ObjectClass.isCapability(targetClass) { return capabilities[permission] }
    if source != target, TypeKinds.free.contains(target), targetClass != "process",
      targetClass != "process2"
    {
      return "reaches into an unconfined process"
    }
    switch targetClass {
    case "process", "process2": return process(source, target, permission)
    case "security": return "changes SELinux itself"
    case "system" where systems.contains(permission):
      return "rules over the whole machine"
    case "bpf", "perf_event", "kernel_service", "capability_class":
      return "reaches into the kernel"
    case "io_uring" where permission == "override_creds": return "lends it another's rights"
    case "filesystem" where mounts.contains(permission): return "changes what is mounted"
    case "user_namespace":
      return "is root in a namespace of its own, with the kernel's whole surface"
    case "packet_socket", "rawip_socket": return "forges and reads packets"
    case "unix_stream_socket" where permission == "connectto":
      return connection(target)
    case "netlink_audit_socket", "netlink_selinux_socket":
      return permission == "nlmsg_relay" ? nil : "reaches into the audit system or SELinux"
    case "service" where ["start", "stop", "enable", "disable", "reload"].contains(permission):
      return "lets it command other services"
    default:
      return ObjectClass.isFile(targetClass)
        ? file(source, target, targetClass, permission) : nil
    }
  }

  /// Of a whole rule: the first reason, with the permission.
  public static func of(_ rule: PolicyRule) -> (permission: String, reason: String)? {
    let target = rule.target == "self" ? rule.source : rule.target
    for permission in rule.permissions {
      if let reason = of(
        source: rule.source, target: target, targetClass: rule.targetClass, permission: permission)
      {
        return (permission, reason)
      }
    }
    return nil
  }

  private static let capabilities: [String: String] = [
    "sys_admin": "is nearly all that root can do", "sys_module": "loads code into the kernel",
    "sys_rawio": "reaches the hardware and the kernel's memory",
    "sys_ptrace": "reads and changes other processes", "sys_boot": "restarts the machine",
    "mac_admin": "changes SELinux itself", "mac_override": "overrides the policy",
    "setfcap": "gives programs capabilities", "setpcap": "changes its own bounds",
    "linux_immutable": "takes protection off files", "mknod": "makes devices",
    "net_admin": "changes the host's network and firewall", "net_raw": "forges and reads packets",
    "audit_control": "switches the audit log off", "audit_write": "forges audit records",
    "syslog": "reads the kernel's log and addresses", "bpf": "loads programs into the kernel",
    "perfmon": "watches other processes", "sys_chroot": "changes its root directory",
    "checkpoint_restore": "reads and makes processes", "sys_time": "sets the clock",
  ]

  private static let systems: Set<String> = [
    "module_load", "module_request", "reboot", "halt", "syslog_mod", "syslog_console", "start",
    "stop", "enable", "disable", "reload", "undefined",
  ]

  private static let mounts: Set<String> = [
    "mount", "remount", "unmount", "relabelfrom", "relabelto", "quotamod",
  ]

  private static func process(_ source: String, _ target: String, _ permission: String) -> String? {
    switch permission {
    case "execmem", "execstack", "execheap":
      return "runs memory that it wrote itself: what an exploit needs"
    case "ptrace": return "reads and changes other processes"
    case "dyntransition", "setcurrent": return "changes its own domain while it runs"
    case "setexec", "setkeycreate", "setsockcreate", "setfscreate":
      return "chooses labels itself"
    case "transition", "nnp_transition", "nosuid_transition":
      return TypeKinds.unconfined.contains(target) ? "leaves its confinement" : nil
    default:
      let isHarmless = ["sigchld", "signull", "getsched", "getpgid", "getsession", "getattr"]
        .contains(permission)
      return target != source && TypeKinds.unconfined.contains(target) && !isHarmless
        ? "reaches into an unconfined process" : nil
    }
  }

  private static func connection(_ target: String) -> String? {
    if TypeKinds.engineSockets.contains(target) {
      return "speaks to the container engine: whoever may, is root on the host"
    }
    return TypeKinds.unconfined.contains(target) ? "reaches into an unconfined process" : nil
  }

  /// Whether a permission over a file changes it, or what is in it.
  static func isChange(_ permission: String) -> Bool { changes.contains(permission) }

  private static let changes: Set<String> = [
    "write", "append", "create", "unlink", "link", "rename", "setattr", "add_name", "remove_name",
    "reparent", "rmdir", "swapon", "quotaon", "map_write",
  ]

  private static func file(
    _ source: String, _ target: String, _ targetClass: String, _ permission: String
  ) -> String? {
    let isChange = changes.contains(permission)
    switch permission {
    case "relabelto", "relabelfrom": return "changes labels, and so what may be done with a file"
    case "mounton": return "changes what is mounted"
    case "execmod": return "runs memory that it wrote itself: what an exploit needs"
    case "entrypoint": return "makes any such file a door into the domain"
    case "execute", "execute_no_trans":
      if isWritable(target, by: source) { return "runs files that it, or anybody, can write" }
    default: break
    }
    if secrets.contains(target), permission != "getattr", permission != "search" {
      return "opens the host's passwords or keys"
    }
    if targetClass == "blk_file" || devices.contains(target) {
      return "reaches a disk, memory or the network card"
    }
    if TypeKinds.engineSockets.contains(target), isChange || targetClass == "sock_file" {
      return "speaks to the container engine: whoever may, is root on the host"
    }
    guard isChange else { return nil }
    if rules.contains(target) { return "changes SELinux itself" }
    if TypeKinds.isKernels(target) { return "changes the kernel's settings" }
    if target.hasPrefix("auditd_") { return "changes the audit log" }
    // A socket there is connected to, not changed.
    if targetClass != "sock_file" || permission != "write", TypeKinds.isSystem(target) {
      return "changes programs or settings of the host"
    }
    return nil
  }

  private static let secrets: Set<String> = [
    "shadow_t", "sshd_key_t", "ssh_home_t", "krb5_keytab_t", "gpg_secret_t", "ipsec_key_file_t",
    "systemd_passwd_var_run_t", "onionkeeper_secret_t", "auditd_log_t",
  ]

  private static let devices: Set<String> = [
    "memory_device_t", "fixed_disk_device_t", "removable_device_t", "scsi_generic_device_t",
    "nvram_device_t", "kmsg_device_t", "proc_kcore_t", "tun_tap_device_t", "vfio_device_t",
    "device_mapper_device_t", "lvm_control_t", "kvm_device_t",
  ]

  private static let rules: Set<String> = [
    "security_t", "selinux_config_t", "semanage_store_t", "policy_config_t", "default_context_t",
    "file_context_t", "selinux_login_config_t",
  ]

  private static func isWritable(_ type: String, by source: String) -> Bool {
    if TypeKinds.isContainer(source) { return false }
    return TypeKinds.homes.contains(type) || TypeKinds.temporary.contains(type)
      || TypeKinds.containerFiles.contains(type) || type == "var_lib_t" || type == "var_t"
      || type == "tor_var_lib_t" || type == "default_t"
  }
}
