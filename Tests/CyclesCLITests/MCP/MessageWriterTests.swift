import Dispatch
import Testing

@testable import CyclesCLI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct MessageWriterTests {
    @Test func linesAreWrittenWholeAndInOrder() async {
        let written = Lock([[UInt8]]())
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let writer = MessageWriter { line in
            written.withLock { $0.append(line) }
            if line == [9] { end.yield() }
            return true
        }
        for number in UInt8(0)..<5 { writer.enqueue([number]) }
        #expect(!writer.isIdle)
        #expect(writer.start {})
        for number in UInt8(5)..<10 { writer.enqueue([number]) }
        for await _ in ends { break }
        #expect(written.withLock { $0 } == (UInt8(0)..<10).map { [$0] })
    }

    @Test func aFailureIsReportedOnceAndNothingIsWrittenAfterwards() async {
        let writes = Lock(0)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let writer = MessageWriter { _ in
            writes.withLock { $0 += 1 }
            return false
        }
        for number in UInt8(0)..<3 { writer.enqueue([number]) }
        #expect(writer.start { end.yield() })
        for await _ in ends { break }
        // Nobody waits for lines that are never written.
        for _ in 0..<6 { writer.enqueue(line) }
        writer.waitForRoom()
        #expect(writer.isIdle && writes.withLock { $0 } == 1)
    }

    @Test func aLineThatIsBeingWrittenIsNotWritten() async {
        let (ends, end) = AsyncStream.makeStream(of: Bool.self)
        let writers = Lock(MessageWriter?.none)
        let writer = MessageWriter { _ in
            end.yield(writers.withLock { $0?.isIdle ?? true })
            return true
        }
        writers.withLock { $0 = writer }
        writer.enqueue([1])
        #expect(writer.start {})
        for await isIdle in ends {
            #expect(!isIdle)
            break
        }
        writers.withLock { $0 = nil }
    }

    /// One MiB.
    private let line = [UInt8](repeating: 1, count: 1_024 * 1_024)

    @Test func readingWaitsWhileTooMuchIsUnwritten() async {
        let (ends, end) = AsyncStream.makeStream(of: Int.self)
        let isReading = DispatchSemaphore(value: 0)
        let written = Lock(0)
        let writer = MessageWriter { _ in
            isReading.wait()
            isReading.signal()
            // A reader that does not wait is done by now.
            for _ in 0..<100 { sched_yield() }
            written.withLock { $0 += 1 }
            return true
        }
        for _ in 0..<6 { writer.enqueue(line) }
        #expect(
            Threads.start {
                isReading.signal()
                writer.waitForRoom()
                end.yield(written.withLock { $0 })
            }
        )
        #expect(writer.start {})
        for await count in ends {
            // 4 MiB may be unwritten.
            #expect(count >= 2)
            break
        }
    }

    @Test func aFailureEndsTheWaitOfTheReader() async {
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let isReading = DispatchSemaphore(value: 0)
        let writers = Lock(MessageWriter?.none)
        let line = line
        let writer = MessageWriter { _ in
            // More arrives while the line is written, and is never written.
            for _ in 0..<6 { writers.withLock { $0 }?.enqueue(line) }
            isReading.wait()
            for _ in 0..<100 { sched_yield() }
            return false
        }
        writers.withLock { $0 = writer }
        for _ in 0..<6 { writer.enqueue(line) }
        #expect(
            Threads.start {
                isReading.signal()
                writer.waitForRoom()
                end.yield()
            }
        )
        #expect(writer.start {})
        for await _ in ends { break }
        writers.withLock { $0 = nil }
    }
}
