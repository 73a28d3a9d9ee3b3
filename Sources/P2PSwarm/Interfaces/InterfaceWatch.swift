import Glibc
public import NIOCore
import NIOPosix
public import P2PCore

/// Tells when the interfaces of this host or their addresses change.
///
/// The kernel's route messages are only the bell: whatever they say, the interfaces are read anew, 5 ms after the first
/// message of a burst, and reported if they differ. Where the kernel gives no such socket, or loses messages, a reading
/// every second does the same; beside the bell there is one every 30 s.
public final class InterfaceWatch: Sendable {
    private struct State {
        var current: [NetworkInterface] = []
        var bell: (any Channel)?
        var pending: Scheduled<Void>?
        var poll: Scheduled<Void>?
        var isRunning = false
    }

    private let eventLoop: any EventLoop
    private let onChange: @Sendable ([NetworkInterface]) -> Void
    private let state: NIOLoopBoundBox<State>

    /// - Parameter onChange: called on the event loop with all interfaces, once at the start and at each change.
    public init(eventLoop: any EventLoop, onChange: @escaping @Sendable ([NetworkInterface]) -> Void) {
        self.eventLoop = eventLoop
        self.onChange = onChange
        self.state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// Reports the present interfaces and begins to watch. Can be called from anywhere.
    public func start() {
        eventLoop.execute { [self] in
            guard !state.value.isRunning else { return }
            state.value.isRunning = true
            state.value.current = NetworkInterface.current()
            onChange(state.value.current)
            listen()
        }
    }

    /// Ends the watch; the future is done when nothing more is reported. Can be called from anywhere.
    @discardableResult
    public func stop() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { [self] in
            state.value.isRunning = false
            state.value.pending?.cancel()
            state.value.poll?.cancel()
            guard let bell = state.value.bell else { return eventLoop.makeSucceededVoidFuture() }
            state.value.bell = nil
            // A bell that is closed already is as good as one closed now.
            return bell.close().recover { _ in }
        }
    }

    private func listen() {
        guard let socket = Self.routeSocket() else { return pollAgain(in: .seconds(1)) }
        let handler = BellHandler { [self] in refreshSoon() }
        NIOPipeBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(handler) }
            }
            .takingOwnershipOfDescriptor(input: socket)
            .whenComplete { [self] result in
                switch result {
                case .success(let channel) where state.value.isRunning:
                    state.value.bell = channel
                    channel.closeFuture.whenComplete { [self] _ in
                        guard state.value.isRunning else { return }
                        // The kernel lost messages for want of room: look now, and listen again a little later.
                        state.value.bell = nil
                        refreshSoon()
                        eventLoop.scheduleTask(in: .seconds(1)) { [self] in
                            if state.value.isRunning, state.value.bell == nil { listen() }
                        }
                    }
                    // What changed before the bell was there.
                    refreshSoon()
                    pollAgain(in: .seconds(30))
                case .success(let channel):
                    channel.close(promise: nil)
                case .failure:
                    Glibc.close(socket)
                    pollAgain(in: .seconds(1))
                }
            }
    }

    private func refreshSoon() {
        guard state.value.isRunning, state.value.pending == nil else { return }
        state.value.pending = eventLoop.scheduleTask(in: .milliseconds(5)) { [self] in
            state.value.pending = nil
            refresh()
        }
    }

    private func pollAgain(in delay: TimeAmount) {
        state.value.poll?.cancel()
        state.value.poll = eventLoop.scheduleTask(in: delay) { [self] in
            refresh()
            if state.value.isRunning { pollAgain(in: delay) }
        }
    }

    private func refresh() {
        guard state.value.isRunning else { return }
        let now = NetworkInterface.current()
        guard now != state.value.current else { return }
        state.value.current = now
        onChange(now)
    }

    /// A socket that hears of links and addresses; nil where the kernel or a sandbox refuses one.
    ///
    /// Its address is the 12 bytes of `sockaddr_nl`: family (16 bits), padding (16), port (32), groups (32).
    /// Source: <linux/netlink.h>, <linux/rtnetlink.h>.
    private static func routeSocket() -> CInt? {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_NETLINK, type, 0)
        guard descriptor >= 0 else { return nil }
        let links: UInt32 = 0x1
        let ipv4Addresses: UInt32 = 0x10
        let ipv6Addresses: UInt32 = 0x100
        let address: [UInt32] = [UInt32(AF_NETLINK), 0, links | ipv4Addresses | ipv6Addresses]
        let bound = address.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { bind(descriptor, $0.baseAddress, 12) }
        }
        guard bound == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        return descriptor
    }
}

/// Rings for whatever is read.
private final class BellHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let ring: @Sendable () -> Void

    init(ring: @escaping @Sendable () -> Void) { self.ring = ring }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { ring() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
