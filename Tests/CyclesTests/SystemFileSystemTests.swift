import Foundation
import Testing

@testable import Cycles

@Suite struct SystemFileSystemTests {
    private let files = SystemFileSystem()

    /// The process file system answers EINVAL, as some network file systems do.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/fd")))
    func aDirectoryThatCannotBeSyncedIsNoFailure() throws {
        try files.syncDirectory("/proc")
        try files.syncDirectory("/proc/self/")
    }

    @Test func aDirectoryThatIsNotThereCannotBeSynced() {
        #expect(throws: FileError.self) { try files.syncDirectory("/nowhere/cycles") }
    }

    /// Shared memory is a volume of its own, whose root everybody may write to.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/shm")))
    func theRootOfAVolumeIsRefusedWithAFolderBelowIt() throws {
        for path in ["/dev/shm", "/dev/shm/"] {
            let error = #expect(throws: FileError.self) { try files.prepareDirectory(path) }
            let reason = try #require(error?.reason)
            #expect(reason.hasSuffix("it is the root of a volume: name a folder below it, such as /dev/shm/cycles"))
        }
    }

    @Test func aDirectoryThatOthersMayWriteToIsRefusedWithTheRemedy() throws {
        let path = FileManager.default.temporaryDirectory.path + "/cycles-\(UUID().uuidString)"
        try files.prepareDirectory(path)
        defer { try? FileManager.default.removeItem(atPath: path) }
        for mode in [0o2770, 0o777, 0o720] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            let error = #expect(throws: FileError.self) { try files.prepareDirectory(path) }
            let reason = try #require(error?.reason)
            #expect(reason.hasPrefix("its group or others may write to it") && reason.hasSuffix("(chmod go-w)"))
        }
    }
}
