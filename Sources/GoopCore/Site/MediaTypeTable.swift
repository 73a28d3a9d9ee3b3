/// Media types and their extensions, a line each; written by `scripts/media-types`, which says where they are from.
enum MediaTypeTable {
    static let text = """
        application/a2l: a2l
        application/aml: aml
        application/andrew-inset: ez
        application/annodex: anx
        application/atf: atf
        application/atfx: atfx
        application/atom+xml: atom
        application/atxml: atxml
        application/automationml-amlx+zip: amlx
        application/bacnet-xdd+zip: xdd
        application/bbolin: lin
        application/cbor: cbor
        application/cccex: c3ex
        application/cdmi-capability: cdmia
        application/cdmi-container: cdmic
        application/cdmi-domain: cdmid
        application/cdmi-object: cdmio
        application/cdmi-queue: cdmiq
        application/cea: cea
        application/clr: 1clr
        application/cms: cmsc
        application/csrattrs: csrattrs
        application/cu-seeme: cu
        application/cwl: cwl
        application/dashdelta: mpdd
        application/dcd: dcd
        application/dicom: dcm
        application/dii: dii
        application/dit: dit
        application/dsptype: tsp
        application/dssc+der: dssc
        application/dvcs: dvc
        application/efi: efi
        application/epub+zip: epub
        application/exi: exi
        application/express: exp
        application/fastinfoset: finf
        application/fdf: fdf
        application/font-tdpfr: pfr
        application/futuresplash: spl
        application/geo+json: geojson
        application/geopackage+sqlite3: gpkg
        application/gltf-buffer: glbin glbuf
        application/gzip: gz
        application/hyperstudio: stk
        application/ipfix: ipfix
        application/java-archive: jar
        application/java-serialized-object: ser
        application/java-vm: class
        application/jrd+json: jrd
        application/json: json map
        application/json-patch+json: json-patch
        application/ld+json: jsonld
        application/link-format: wlnk
        application/lpf+zip: lpf
        application/lxf: lxf
        application/m3g: m3g
        application/mac-binhex40: hqx
        application/mac-compactpro: cpt
        application/manifest+json: webmanifest
        application/marc: mrc
        application/mathematica: ma mb
        application/mbox: mbox
        application/mf4: mf4
        application/mp21: m21 mp21
        application/msaccess: mdb
        application/msword: doc
        application/mxf: mxf
        application/n-quads: nq
        application/n-triples: nt
        application/ocsp-request: orq
        application/ocsp-response: ors
        application/octet-stream: bin deploy msp msu
        application/oda: oda
        application/odx: odx
        application/ogg: ogx
        application/onenote: one onepkg onetmp onetoc2
        application/oxps: oxps
        application/p21: 210 ifc p21 stpnc
        application/pdf: pdf
        application/pdx: pdx
        application/pem-certificate-chain: pem
        application/pgp-encrypted: pgp
        application/pgp-keys: asc key
        application/pgp-signature: sig
        application/pics-rules: prf
        application/pkcs10: p10
        application/pkcs12: p12 pfx
        application/pkcs7-mime: p7c p7m p7z
        application/pkcs7-signature: p7s
        application/pkcs8: p8
        application/pkcs8-encrypted: p8e
        application/pkix-attr-cert: ac
        application/pkix-cert: cer
        application/pkix-crl: crl
        application/pkix-pkipath: pkipath
        application/pkixcmp: pki
        application/postscript: ai eps eps2 eps3 epsf epsi ps
        application/prs.cww: cw cww
        application/prs.hpub+zip: hpub
        application/prs.nprend: rct rnd
        application/relax-ng-compact-syntax: rnc
        application/rpki-ghostbusters: gbr
        application/rpki-manifest: mft
        application/rpki-roa: roa
        application/rss+xml: rss
        application/rtf: rtf
        application/sarif+json: sarif
        application/scim+json: scim
        application/scvp-cv-request: scq
        application/scvp-cv-response: scs
        application/scvp-vp-request: spq
        application/scvp-vp-response: spp
        application/sdp: sdp
        application/senml+cbor: senmlc
        application/senml+json: senml
        application/senml-etch+cbor: senml-etchc
        application/senml-etch+json: senml-etchj
        application/senml-exi: senmle
        application/sensml+cbor: sensmlc
        application/sensml+json: sensml
        application/sensml-exi: sensmle
        application/sgml-open-catalog: soc
        application/sieve: sieve siv
        application/sparql-query: rq
        application/srgs: gram
        application/stix+json: stix
        application/swid+cbor: coswid
        application/tamp-apex-update: tau
        application/tamp-apex-update-confirm: auc
        application/tamp-community-update: tcu
        application/tamp-community-update-confirm: cuc
        application/tamp-error: ter
        application/tamp-sequence-adjust: tsa
        application/tamp-sequence-adjust-confirm: sac
        application/tamp-update: tur
        application/tamp-update-confirm: tuc
        application/td+json: jsontd
        application/timestamp-query: tsq
        application/timestamp-reply: tsr
        application/timestamped-data: tsd
        application/tm+json: jsontm
        application/trig: trig
        application/vnd.adobe.flash.movie: swf
        application/vnd.amazon.mobi8-ebook: azw3
        application/vnd.android.ota: ota
        application/vnd.android.package-archive: apk
        application/vnd.apple.keynote: keynote
        application/vnd.apple.mpegurl: m3u8
        application/vnd.apple.numbers: numbers
        application/vnd.apple.pages: pages
        application/vnd.debian.binary-package: ddeb deb udeb
        application/vnd.geogebra.file: ggb
        application/vnd.geogebra.slides: ggs
        application/vnd.geogebra.tool: ggt
        application/vnd.geometry-explorer: gex gre
        application/vnd.geonext: gxt
        application/vnd.geoplan: g2w
        application/vnd.geospace: g3w
        application/vnd.google-earth.kmz: kmz
        application/vnd.ms-3mfdocument: 3mf
        application/vnd.ms-artgalry: cil
        application/vnd.ms-asf: asf
        application/vnd.ms-cab-compressed: cab
        application/vnd.ms-excel: xla xlc xlm xls xlt xlw
        application/vnd.ms-excel.addin.macroenabled.12: xlam
        application/vnd.ms-excel.sheet.binary.macroenabled.12: xlsb
        application/vnd.ms-excel.sheet.macroenabled.12: xlsm
        application/vnd.ms-excel.template.macroenabled.12: xltm
        application/vnd.ms-fontobject: eot
        application/vnd.ms-ims: ims
        application/vnd.ms-lrm: lrm
        application/vnd.ms-officetheme: thmx
        application/vnd.ms-pki.seccat: cat
        application/vnd.ms-powerpoint: pps ppt
        application/vnd.ms-powerpoint.addin.macroenabled.12: ppam
        application/vnd.ms-powerpoint.presentation.macroenabled.12: pptm
        application/vnd.ms-powerpoint.slide.macroenabled.12: sldm
        application/vnd.ms-powerpoint.slideshow.macroenabled.12: ppsm
        application/vnd.ms-powerpoint.template.macroenabled.12: potm
        application/vnd.ms-project: mpp mpt
        application/vnd.ms-tnef: tnef tnf
        application/vnd.ms-word.document.macroenabled.12: docm
        application/vnd.ms-word.template.macroenabled.12: dotm
        application/vnd.ms-works: wcm wdb wks wps
        application/vnd.ms-wpl: wpl
        application/vnd.ms-xpsdocument: xps
        application/vnd.oasis.opendocument.base: odb
        application/vnd.oasis.opendocument.chart: odc
        application/vnd.oasis.opendocument.chart-template: otc
        application/vnd.oasis.opendocument.formula: odf
        application/vnd.oasis.opendocument.graphics: odg
        application/vnd.oasis.opendocument.graphics-template: otg
        application/vnd.oasis.opendocument.image: odi
        application/vnd.oasis.opendocument.image-template: oti
        application/vnd.oasis.opendocument.presentation: odp
        application/vnd.oasis.opendocument.presentation-template: otp
        application/vnd.oasis.opendocument.spreadsheet: ods
        application/vnd.oasis.opendocument.spreadsheet-template: ots
        application/vnd.oasis.opendocument.text: odt
        application/vnd.oasis.opendocument.text-master: odm
        application/vnd.oasis.opendocument.text-template: ott
        application/vnd.oasis.opendocument.text-web: oth
        application/vnd.openxmlformats-officedocument.presentationml.presentation: pptx
        application/vnd.openxmlformats-officedocument.presentationml.slide: sldx
        application/vnd.openxmlformats-officedocument.presentationml.slideshow: ppsx
        application/vnd.openxmlformats-officedocument.presentationml.template: potx
        application/vnd.openxmlformats-officedocument.spreadsheetml.sheet: xlsx
        application/vnd.openxmlformats-officedocument.spreadsheetml.template: xltx
        application/vnd.openxmlformats-officedocument.wordprocessingml.document: docx
        application/vnd.openxmlformats-officedocument.wordprocessingml.template: dotx
        application/vnd.rar: rar
        application/vnd.sqlite3: sqlite sqlite3
        application/vnd.valve.source.material: vmt
        application/vnd.visio: vsd vss vst vsw
        application/vnd.visionary: vis
        application/voucher-cms+json: vcj
        application/wasm: wasm
        application/widget: wgt
        application/x-123: wk
        application/x-7z-compressed: 7z
        application/x-abiword: abw
        application/x-apple-diskimage: dmg
        application/x-bcpio: bcpio
        application/x-bittorrent: torrent
        application/x-brotli: br
        application/x-bzip2: bz2
        application/x-cdf: cda cdf
        application/x-cdlink: vcd
        application/x-comsol: mph
        application/x-cpio: cpio
        application/x-csh: csh
        application/x-director: dcr dir dxr
        application/x-doom: wad
        application/x-dvi: dvi
        application/x-font: gsf pfa pfb
        application/x-font-pcf: pcf
        application/x-freemind: mm
        application/x-ganttproject: gan
        application/x-gnumeric: gnumeric
        application/x-go-sgf: sgf
        application/x-graphing-calculator: gcf
        application/x-gtar: gtar
        application/x-gtar-compressed: taz tgz
        application/x-hdf: hdf
        application/x-hwp: hwp
        application/x-ica: ica
        application/x-info: info
        application/x-internet-signup: ins isp
        application/x-iphone: iii
        application/x-iso9660-image: iso
        application/x-java-jnlp-file: jnlp
        application/x-jmol: jmz
        application/x-killustrator: kil
        application/x-latex: latex
        application/x-lha: lha
        application/x-lyx: lyx
        application/x-lzh: lzh
        application/x-lzx: lzx
        application/x-maker: book fb fbdoc fm frame frm maker
        application/x-ms-wmd: wmd
        application/x-ms-wmz: wmz
        application/x-msdos-program: bat com dll exe
        application/x-msi: msi
        application/x-netcdf: nc
        application/x-ns-proxy-autoconfig: pac
        application/x-nwc: nwc
        application/x-object: o
        application/x-oz-application: oza
        application/x-pkcs7-certreqresp: p7r
        application/x-python-code: pyc pyo
        application/x-qgis: qgs shp shx
        application/x-quicktimeplayer: qtl
        application/x-rdp: rdp
        application/x-redhat-package-manager: rpm
        application/x-scilab: sce sci
        application/x-scilab-xcos: xcos
        application/x-shar: shar
        application/x-silverlight: scr
        application/x-stuffit: sit sitx
        application/x-sv4cpio: sv4cpio
        application/x-sv4crc: sv4crc
        application/x-tar: tar
        application/x-tcl: tcl
        application/x-tex-gf: gf
        application/x-tex-pk: pk
        application/x-texinfo: texi texinfo
        application/x-trash: bak old sik
        application/x-troff-man: man
        application/x-troff-me: me
        application/x-troff-ms: ms
        application/x-ustar: ustar
        application/x-wais-source: src
        application/x-wingz: wz
        application/x-x509-ca-cert: crt
        application/x-xfig: fig
        application/x-xz: xz
        application/xfdf: xfdf
        application/xhtml+xml: xht xhtml
        application/xml: xml xsd
        application/xslt+xml: xsl xslt
        application/yang: yang
        application/zip: zip
        application/zstd: zst
        audio/32kadpcm: 726
        audio/aac: aac adts ass
        audio/ac3: ac3
        audio/amr: amr
        audio/amr-wb: awb
        audio/annodex: axa
        audio/asc: acn
        audio/atrac-advanced-lossless: aal
        audio/atrac-x: atx
        audio/atrac3: aa3 at3 omg
        audio/basic: au snd
        audio/csound: csd orc sco
        audio/dls: dls
        audio/evrc: evc
        audio/evrc-qcp: qcp
        audio/evrcb: evb
        audio/evrcnw: enw
        audio/evrcwb: evw
        audio/flac: flac
        audio/ilbc: lbc
        audio/l16: l16
        audio/mhas: mhas
        audio/midi: mid midi
        audio/mobile-xmf: mxmf
        audio/mp4: m4a
        audio/mpeg: mp1 mp2 mp3 mpega mpga
        audio/mpegurl: m3u
        audio/ogg: oga ogg opus spx
        audio/prs.sid: psid sid
        audio/smv: smv
        audio/sofa: sofa
        audio/usac: loas xhe
        audio/vnd.dts: dts
        audio/vnd.dts.hd: dtshd
        audio/vnd.ms-playready.media.pya: pya
        audio/wav: wav
        audio/webm: weba
        audio/x-aiff: aif aifc aiff
        audio/x-gsm: gsm
        audio/x-ms-wax: wax
        audio/x-ms-wma: wma
        audio/x-pn-realaudio: ra ram rm
        audio/x-scpls: pls
        audio/x-sd2: sd2
        font/collection: ttc
        font/otf: otf
        font/ttf: ttf
        font/woff: woff
        font/woff2: woff2
        image/aces: exr
        image/apng: apng
        image/avci: avci
        image/avcs: avcs
        image/avif: avif hif
        image/bmp: bmp
        image/cgm: cgm
        image/dicom-rle: drle
        image/dpx: dpx
        image/emf: emf
        image/fits: fit fits fts
        image/gif: gif
        image/heic: heic
        image/heic-sequence: heics
        image/heif: heif
        image/heif-sequence: heifs
        image/hej2k: hej2
        image/hsj2: hsj2
        image/ief: ief
        image/jls: jls
        image/jp2: jp2 jpg2
        image/jpeg: jfif jpe jpeg jpg
        image/jph: jph
        image/jphc: jhc jphc
        image/jpm: jpgm jpm
        image/jpx: jpf jpx
        image/jxl: jxl
        image/jxr: jxr
        image/jxra: jxra
        image/jxrs: jxrs
        image/jxs: jxs
        image/jxsc: jxsc
        image/jxsi: jxsi
        image/jxss: jxss
        image/ktx: ktx
        image/ktx2: ktx2
        image/png: png
        image/prs.btif: btf btif
        image/prs.pti: pti
        image/svg+xml: svg
        image/tiff: tif tiff
        image/tiff-fx: tfx
        image/vnd.adobe.photoshop: psd
        image/vnd.djvu: djv djvu
        image/vnd.dwg: dwg
        image/vnd.dxf: dxf
        image/vnd.microsoft.icon: cur ico
        image/vnd.ms-modi: mdi
        image/vnd.valve.source.texture: vtf
        image/webp: webp
        image/wmf: wmf
        image/x-canon-cr2: cr2
        image/x-canon-crw: crw
        image/x-cmu-raster: ras
        image/x-coreldraw: cdr
        image/x-coreldrawpattern: pat
        image/x-coreldrawtemplate: cdt
        image/x-epson-erf: erf
        image/x-jg: art
        image/x-jng: jng
        image/x-nikon-nef: nef
        image/x-olympus-orf: orf
        image/x-portable-anymap: pnm
        image/x-portable-bitmap: pbm
        image/x-portable-graymap: pgm
        image/x-portable-pixmap: ppm
        image/x-rgb: rgb
        image/x-xbitmap: xbm
        image/x-xcf: xcf
        image/x-xpixmap: xpm
        image/x-xwindowdump: xwd
        model/gltf+json: gltf
        model/gltf-binary: glb
        model/iges: iges igs
        model/jt: jt
        model/mesh: mesh msh silo
        model/mtl: mtl
        model/obj: obj
        model/prc: prc
        model/step: step stp
        model/step+zip: stpz
        model/step-xml+zip: stpxz
        model/stl: stl
        model/u3d: u3d
        model/vnd.usdz+zip: usdz
        model/vnd.valve.source.compiled-map: bsp
        model/vrml: vrm vrml wrl
        model/x3d+fastinfoset: x3db
        model/x3d-vrml: x3dv x3dvz
        text/calendar; charset=utf-8: ics ifb
        text/cql; charset=utf-8: cql
        text/css; charset=utf-8: css
        text/csv-schema; charset=utf-8: csvs
        text/csv; charset=utf-8: csv
        text/dns; charset=utf-8: soa zone
        text/gff3; charset=utf-8: gff3
        text/html; charset=utf-8: htm html
        text/javascript; charset=utf-8: cjs js mjs
        text/jcr-cnd; charset=utf-8: cnd
        text/markdown; charset=utf-8: markdown md
        text/mizar; charset=utf-8: miz
        text/n3; charset=utf-8: n3
        text/plain; charset=utf-8: bib boo brf c cc cls conf cpp cxx d diff etx gcd go h hh hpp hs hxx ini java jsx kt
        text/plain; charset=utf-8: lhs log ltx lua ly moc p pas patch pl pm pot py rb rs scala sfv sh sql srt sty swift
        text/plain; charset=utf-8: tex text tk toml ts tsx txt vcs vue yaml yml
        text/provenance-notation; charset=utf-8: provn
        text/prs.fallenstein.rst; charset=utf-8: rst
        text/prs.lines.tag; charset=utf-8: dsc tag
        text/sgml; charset=utf-8: sgm sgml
        text/shaclc; charset=utf-8: shaclc shc
        text/shex; charset=utf-8: shex
        text/spdx; charset=utf-8: spdx
        text/tab-separated-values; charset=utf-8: tsv
        text/texmacs; charset=utf-8: tm
        text/troff; charset=utf-8: roff t tr
        text/turtle; charset=utf-8: ttl
        text/uri-list; charset=utf-8: uri uris
        text/vcard; charset=utf-8: vcard vcf
        text/vnd.debian.copyright; charset=utf-8: copyright
        text/vnd.ms-mediapackage; charset=utf-8: mpf
        text/vtt; charset=utf-8: vtt
        text/wgsl; charset=utf-8: wgsl
        video/annodex: axv
        video/dv: dif dv
        video/fli: fli
        video/gl: gl
        video/iso.segment: m4s
        video/mj2: mj2 mjp2
        video/mp2t: m2ts
        video/mp4: m4v mp4 mpg4
        video/mpeg: m1v m2v mpe mpeg mpg
        video/ogg: ogv
        video/quicktime: mov qt
        video/vnd.ms-playready.media.pyv: pyv
        video/webm: webm
        video/x-flv: flv
        video/x-la-asf: lsf lsx
        video/x-matroska: mkv mpv
        video/x-mng: mng
        video/x-ms-wm: wm
        video/x-ms-wmv: wmv
        video/x-ms-wmx: wmx
        video/x-ms-wvx: wvx
        video/x-msvideo: avi
        video/x-sgi-movie: movie
        """
}
