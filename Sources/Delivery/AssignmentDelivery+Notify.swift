internal import Base
internal import Models

extension AssignmentDelivery {
    /// Tells everybody whom `notify:` of the stage names how it stands; never fails, and takes some seconds at most.
    func notify(_ status: String, reason: String? = nil, served: Served? = nil) async {
        guard let journal, let settings = policy.stage(stage, of: model.name), !settings.notify.isEmpty else { return }
        let notice = DeliveryNotice(
            model: "\(model.name)", stage: stage, tag: assignment.tag,
            version: model.version(at: assignment.commit).map { "\($0.version)" }, commit: assignment.commit,
            status: status, reason: reason.map { SecretMask().masked($0) }, image: served.map { "\($0.image)" },
            target: served?.place, delivery: journal.id)
        await Notifier.send(notice, settings.notify) { journal.say($0) }
    }
}
