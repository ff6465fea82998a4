internal import Base
internal import NIOCore
internal import NIOPosix
public import SystemPackage

/// The process in front of a stage's servers: passes each new connection to the one that `active.json` names.
///
/// It knows nothing of HTTP. A connection stays with its server until it ends, so a switch of servers cuts nothing.
public struct Switch: Sendable {
    private let directory: FilePath

    public init(directory: FilePath) { self.directory = directory }

    /// Listens, writes `switch.json` with its address, and serves until a signal ends the process.
    public func run(host: String, port: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let active = directory.appending("active.json")
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { inbound in
                inbound.eventLoop.makeCompletedFuture {
                    try inbound.pipeline.syncOperations.addHandler(Connector(active: active))
                }
            }
            .bind(host: host, port: port).get()
        let bound = server.localAddress?.port ?? port
        let me = ProcessIdentity(getpid())
        let json: JSON = [
            "address": .string("http://\(host):\(bound)"), "port": .int(Int64(bound)), "pid": .int(Int64(me.id)),
            "began": .string(me.began),
        ]
        try Files.replace(directory.appending("switch.json"), with: "\(json)\n".utf8)
        try await server.closeFuture.get()
    }
}

/// Connects a client that has just come to the active server; nothing is read from it until that has been done.
private final class Connector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let active: FilePath

    init(active: FilePath) { self.active = active }

    func channelActive(context: ChannelHandlerContext) { connect(context.channel, tries: 40) }

    /// Tries again for a moment when the active server is just going away.
    private func connect(_ inbound: any Channel, tries: Int) {
        let port = (try? Files.readText(active)).flatMap { $0 }.flatMap { try? JSON.parse($0)["port"]?.int }
        let attempt = ClientBootstrap(group: inbound.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connectTimeout(.seconds(5))
            .connect(host: "127.0.0.1", port: Int(port ?? 0))
        attempt.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let outbound): Self.join(inbound, outbound)
            case .failure where tries > 0 && inbound.isActive:
                inbound.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
                    self.connect(inbound, tries: tries - 1)
                }
            case .failure: inbound.close(promise: nil)
            }
        }
    }

    private static func join(_ inbound: any Channel, _ outbound: any Channel) {
        let (a, b) = Glue.pair()
        do {
            try inbound.pipeline.syncOperations.addHandler(a)
            try outbound.pipeline.syncOperations.addHandler(b)
        } catch {
            inbound.close(promise: nil)
            return outbound.close(promise: nil)
        }
        for channel in [inbound, outbound] { channel.setOption(.autoRead, value: true).whenFailure { _ in } }
    }
}

/// One end of a pair: what is read here is written there, no faster than it is taken.
private final class Glue: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var partner: Glue?
    private var context: ChannelHandlerContext?
    private var isReadWaiting = false

    static func pair() -> (Glue, Glue) {
        let (a, b) = (Glue(), Glue())
        (a.partner, b.partner) = (b, a)
        return (a, b)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        partner = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        partner?.context?.write(NIOAny(unwrapInboundIn(data)), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) { partner?.context?.flush() }

    func channelInactive(context: ChannelHandlerContext) { partner?.context?.close(promise: nil) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            partner?.context?.flush()
            partner?.context?.close(mode: .output, promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let partner, partner.isReadWaiting {
            partner.isReadWaiting = false
            partner.context?.read()
        }
    }

    func read(context: ChannelHandlerContext) {
        if partner?.context?.channel.isWritable ?? true {
            context.read()
        } else {
            isReadWaiting = true
        }
    }
}
