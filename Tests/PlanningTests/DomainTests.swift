import OnionModel
import Testing

@testable import Planning

/// Which SELinux domain a container gets, and that no running one is restarted for it.
@Suite struct DomainTests {
  private let blog = service("blog")

  /// Settled, and proven in `domain`.
  private func scene(provenIn domain: String, hasOwnDomain: Bool?) -> Scene {
    var scene = Scene([])
    scene.observed.hasSELinux = true
    scene.observed.hasOwnDomain = domain == ContainerLabel.ownType
    scene.desired.services = [blog]
    scene.settleKey(blog)
    scene.settleInstance(blog)
    let level = scene.memory.instances[blog.instance]?.proven?.label?.level
    scene.memory.instances[blog.instance]?.level = level
    scene.observed.containers = .present(
      (scene.observed.containers.value ?? []).map { container in
        var container = container
        var proof = Scene.goodProof
        proof.label = "system_u:system_r:\(domain):\(level ?? "?")"
        container.proof = .present(proof)
        return container
      })
    scene.observed.hasOwnDomain = hasOwnDomain
    return scene
  }

  private func created(_ scene: Scene) -> [String?] {
    scene.plan.steps.compactMap { step in
      if case .createContainer(let specification) = step.action {
        specification.label?.type
      } else {
        nil
      }
    }
  }

  @Test(arguments: [
    (ContainerLabel.commonType, true as Bool?), (ContainerLabel.commonType, false),
    (ContainerLabel.commonType, nil), (ContainerLabel.ownType, true), (ContainerLabel.ownType, nil),
  ])
  func whatRunsRunsOn(_ domain: String, _ hasOwnDomain: Bool?) {
    let scene = scene(provenIn: domain, hasOwnDomain: hasOwnDomain)
    #expect(scene.plan.isEmpty, "\(words(scene.plan))")
  }

  @Test func aLostDomainIsReplaced() {
    let scene = scene(provenIn: ContainerLabel.ownType, hasOwnDomain: false)
    #expect(created(scene) == [ContainerLabel.commonType])
  }

  @Test(arguments: [
    (true as Bool?, ContainerLabel.ownType), (false, ContainerLabel.commonType),
    (nil, ContainerLabel.commonType),
  ])
  func aNewContainerGetsTheBest(_ hasOwnDomain: Bool?, _ domain: String) {
    var scene = scene(provenIn: ContainerLabel.commonType, hasOwnDomain: hasOwnDomain)
    scene.observed.containers = .present([])
    #expect(created(scene) == [domain])
  }

  /// An engine lists what it is about to remove for seconds: that container's domain is nobody's any more.
  @Test func whatIsBeingRemovedKeepsNoDomain() {
    var scene = scene(provenIn: ContainerLabel.commonType, hasOwnDomain: true)
    scene.observed.containers = .present(
      (scene.observed.containers.value ?? []).map { container in
        var container = container
        container.state = ContainerState("removing")
        return container
      })
    #expect(created(scene) == [ContainerLabel.ownType])
  }

  /// Recreated for another reason, it gets the new domain in the same go.
  @Test func aChangeTakesItAlong() {
    var scene = scene(provenIn: ContainerLabel.commonType, hasOwnDomain: true)
    scene.desired.services[0].limits.pids += 1
    #expect(created(scene) == [ContainerLabel.ownType])
  }
}
