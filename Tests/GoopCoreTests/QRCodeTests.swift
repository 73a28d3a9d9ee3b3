import Testing

@testable import GoopCore

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct QRCodeTests {
    /// The worked example of ISO/IEC 18004 for version 1-M, annex I: the digits 01234567.
    @Test func errorCorrectionOfTheStandardsExample() {
        let data: [UInt8] = [
            0x10, 0x20, 0x0c, 0x56, 0x61, 0x80, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11, 0xec, 0x11,
        ]
        #expect(
            ReedSolomon.correction(of: data, count: 10)
                == [0xa5, 0x24, 0xd4, 0xc1, 0xed, 0x36, 0xc7, 0x87, 0x2c, 0x55])
    }

    /// Tables C.1 and D.1 of the standard.
    @Test func formatAndVersion() {
        #expect(QRMatrix.formatBits(mask: 0) == 0b101_0100_0001_0010)
        #expect(QRMatrix.formatBits(mask: 5) == 0b100_0000_1100_1110)
        #expect(QRMatrix.versionBits(7) == 0b00_0111_1100_1001_0100)
        #expect(QRMatrix.versionBits(10) == 0b00_1010_0100_1101_0011)
    }

    /// Table 7 of the standard, byte mode, level M.
    @Test func capacities() {
        #expect(QRLayout.all.map(\.capacity) == [14, 26, 42, 62, 84, 106, 122, 152, 180, 213])
        for (layout, total) in zip(QRLayout.all, [26, 44, 70, 100, 134, 172, 196, 242, 292, 346]) {
            #expect(layout.dataCodewords + layout.blocks.count * layout.correctionPerBlock == total)
        }
        #expect(QRCode(String(repeating: "x", count: 213))?.version == 10)
        #expect(QRCode(String(repeating: "x", count: 214)) == nil)
        #expect(QRCode("")?.version == 1)
    }

    @Test func theImageIsAsLargeAsTheCodeAndItsQuietZone() throws {
        let code = try #require(QRCode("http://127.0.0.1:8080/"))
        #expect(code.svg.contains("viewBox=\"0 0 \(code.side + 8) \(code.side + 8)\""))
        #expect(code.isDark(x: 0, y: 0) && code.isDark(x: 6, y: 6) && !code.isDark(x: 7, y: 7))
        #expect(!code.isDark(x: -1, y: 0) && !code.isDark(x: code.side, y: 0))
    }

    #if canImport(Glibc)
        private static let hasReader = access("/usr/bin/zbarimg", X_OK) == 0

        /// Every version, read by a program that is not ours.
        @Test(.enabled(if: hasReader, "zbar-tools is not installed"), arguments: QRLayout.all.map(\.capacity))
        func anotherProgramReadsIt(length: Int) throws {
            let text = String("http://127.0.0.1:8080/p/12D3KooWQ0/äöü–\u{1f600}/".utf8.prefix(14)).map { start in
                start + String(repeating: "aZ9/-_", count: 40).prefix(length - start.utf8.count)
            }
            let wanted = try #require(text)
            let code = try #require(QRCode(wanted))
            let scale = 4
            let size = (code.side + 8) * scale
            var image = Array("P5 \(size) \(size) 255\n".utf8)
            for y in 0..<size {
                for x in 0..<size {
                    image.append(code.isDark(x: x / scale - 4, y: y / scale - 4) ? 0 : 255)
                }
            }
            let path = "/tmp/goop-qr-\(getpid())-\(length).pgm"
            defer { unlink(path) }
            let file = try #require(fopen(path, "w"))
            fwrite(image, 1, image.count, file)
            fclose(file)
            let reader = try #require(popen("zbarimg -q --raw -Sdisable -Sqrcode.enable \(path)", "r"))
            var answer: [UInt8] = []
            while case let byte = fgetc(reader), byte != EOF { answer.append(UInt8(truncatingIfNeeded: byte)) }
            pclose(reader)
            #expect(String(decoding: answer, as: UTF8.self) == wanted + "\n")
        }
    #endif
}
