"""Weights of `purity.py`, as `fit_purity.py` wrote them.

Fitted on 41 pieces, 5112 stretches of two seconds. On 11
others: 96 % of pure stretches named rightly, shares off by 0.12 on average.
"""

HIDDEN = 16
FIRST = (
    "0{H#?4FduL`~v&}0s#p90R8~}0{{X2{{R601pxv9{{a8}0s#R1{{aC40|5a40R#U00098~`~v_2{{I610R#U200IL4{R032`~L&~"
    "0R#U100992`~v?0{r?01{{jC50Q&&{1O5I11_Ay3{s0030sQ~~0{;R50{{O00RR920{#L2009L60Q~~~0sjF41O5O3{{R621Ofv7"
    "0R9032LAy9{s001009300R9030{;L30Ra920s;O20RI650RI600Ra910s;U30RI350RaF1000001Ofg4009320RRC1{{jF10|Ea5"
    "00IF20RRC1{{jI10ssL4009C10RRC2{{jO1{{R3100IL30RRF5{{jO2{s8|10rdGC3I78A{RS8S3kdla{s#jP2mS#C0SOKJ1^)sG"
    "0S5yA{`~*|{{#s91^)v71^@m70s{vC00a*N{r(F40{{R21OEc}0{#R000aa30R8{?`~dv;0SEs3`uza?1OWc{1pfgA`Tq6*2L%8H"
    "0r>t03j+K00R8j%1pE91{{jI61qt{21qbo^7YzUX0tNsH1_1vE00jU7`}Y9;1P1&N0Sy5N1_=H9^Y;P!`v3#~{s9C91ONa63IhWG"
    "`U3+51_K8K0Qd&{2mu2H{rvv^{s9F4{`~(50ssO70R8&}0RH{`0sj320RaU80si~|1pWQ}0{#E~{s9C70RsR01O)y50sjK}|NR96"
    "{{sR01pWa40QUv`0{{L56&bw+))>;vF9ysV^$nBm0{83L5DND8{TAXa9{SMz590z8><9Mv4j$|G%l8fK0@Dl|3<35H2kP+j@&57v"
    "1KR}v76b+e`tcI>`~ds;0@nidA^Hvn?Ee7__4ohr{n!817~u>R?&SO#^ZES^1@Hjp0`~t2`}Ob-"
    "?Ct>j`2Gym5CaYk0P*_v1^@mC?g9+i1@RCE?d}rt_XPL>^BM;j=>+cn^AP>~4hZoN>=E|)^AG_A_4ywc;`IXz>HPot`3eCC`tK1L"
    "0RIO9>-qui-"
    "}wmq`VsvC>ig#v0RsK}@9qBi`wRN?4GjMK3IhTK`0f1w`}zm$2MrSX3HbX61^)T``T`CE_yZ9E0Q>$H5D5JD1N;^R0|fmIe<^=~e"
    "}8{}fq{R4e}No<|NQ|03j_cD{R9C02muBI_XYm@1_Ao}0{{pD9SHaU|M~g*_x<nW3Hb>8DHad|{S5!{{uBN75fkPD{tFHM1r7i92"
    "mSEz1pw{={`&|53KH@v`uOVX5f<<H_URD^1PBQp0Sfc-2MOi(Dh>w-"
    "0{#LM{rvO(0R!*?BMtlw{{I02|M~Ly0siy+9v=w|_W%GK`~ma(4*BQmCms3({Q>*~_5TJ40t)m9BP#X*`zZkz@ADDr2Oj(dH7yAM"
    "1P%c-"
    "_XP;``|lC?_xkM<1}paz_Y(pb^b*$eH4X0n140q|$h+YQ0V@Z^8sRSL=j<xy?FT;t@ckF+0@(`k4u1m@w*1;vAjrhVsSSUc{QeKI"
    "q!|Y+71aC{jppD3"
)
SECOND = "?pepNVA{#cdYbEMQIE16V30uH$WEAQ!NFv{N}5cslYv`LyXAkhfpni+=vSQo6V)LA"
FIRST_SCALES = (
    0.15264,
    0.12431,
    0.10178,
    0.054889,
    0.074996,
    0.087843,
    0.086623,
    0.083979,
    0.089394,
    0.078321,
    0.083855,
    0.097101,
    0.059975,
    0.12295,
    0.10561,
    0.10854,
)
SECOND_SCALES = (
    0.0049396,
    0.0054585,
    0.003687,
)
LAYERS = (FIRST, SECOND)
SCALES = (FIRST_SCALES, SECOND_SCALES)
