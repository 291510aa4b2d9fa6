import Testing

@testable import Cycles

@Suite final class ResumptionsTests: Sendable {
    private let resumed = Lock<[Int]>([])

    /// Resumes `number`, which resumes the others if it is told to.
    private func resume(_ number: Int, runs: Bool = true) {
        Resumptions.resume { [self] others in
            resumed.withLock { $0.append(number) }
            if runs { others?.resumeAll() }
        }
    }

    @Test func aThreadThatCollectsNothingResumesAtOnce() {
        resume(1)
        #expect(resumed.withLock { $0 } == [1])
    }

    @Test func nothingIsResumedWhileTheThreadCollects() {
        let resumptions = Resumptions()
        resumptions.collect {
            resume(1)
            resume(2)
            #expect(resumed.withLock { $0 }.isEmpty)
        }
        #expect(!resumptions.isPending)
    }

    @Test func theFirstResumesTheOthersInTheirOrder() {
        Resumptions().collect { for number in 1...3 { resume(number) } }
        #expect(resumed.withLock { $0 } == [1, 2, 3])
    }

    @Test func theThreadResumesWhatTheFirstDoesNot() {
        let resumptions = Resumptions()
        resumptions.collect { for number in 1...3 { resume(number, runs: false) } }
        #expect(resumed.withLock { $0 } == [1])
        #expect(resumptions.isPending)
        resumptions.resumeAll()
        resumptions.resumeAll()
        #expect(resumed.withLock { $0 } == [1, 2, 3])
    }

    @Test func otherThreadsResumeAtOnceMeanwhile() {
        Resumptions().collect {
            let thread = SystemThread.start { self.resume(1) }
            thread?.join()
            #expect(resumed.withLock { $0 } == [1])
        }
    }
}
